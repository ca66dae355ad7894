"""Connects the shell to the API, and looks up there the projects that a command needs."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from scar.access import Actor
from scar.errors import ScarError
from scar.projects import Project
from scar.settings import Settings

if TYPE_CHECKING:
    from scar.client import ApiClient

_PART = "console"


def connect(settings: Settings) -> ApiClient:
    """Return a client with `SCAR_API_TOKEN`, else one that signs with the console's key."""
    from scar.client import ApiClient  # it imports httpx, which would slow down `--help`
    from scar.jobs.signing import Signatures

    if settings.api_token is not None:
        token = settings.api_token
        return ApiClient(settings.api_url, lambda *_: token)
    user = getpass.getuser()
    signatures = Signatures.of(settings, _PART)
    return ApiClient.for_actor(settings.api_url, signatures, Actor(_PART, user, user))


class ProjectsOfApi:
    """Stands in for the projects file when a command's words are parsed. Names are checked by the
    API; the list of projects is requested only by commands that need it.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def get(self, name: str) -> Project:
        """Return a project that has only its name, or not even that if it is the default
        project.
        """
        return Project(name, Path("/"), Path("/"), name)

    @cached_property
    def projects(self) -> Mapping[str, Project]:
        """The projects that the caller may see."""
        items = self._client.request("GET", "/projects")["items"]
        return {item["name"]: Project.from_json(item) for item in items}


def complete_project(
    _context: click.Context, _parameter: click.Parameter, beginning: str
) -> list[CompletionItem]:
    """Return the names of projects for shell completion; none if the API cannot be reached."""
    try:
        names = ProjectsOfApi(connect(Settings.load())).projects
    except ScarError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(beginning)]
