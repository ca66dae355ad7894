"""Clones a repository into a folder that is not there yet."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from scar.git_url import GitUrl, github_place
from scar.settings import Settings
from workers.engine.process import RunControl
from workers.git.command import Credential, environment, failed, run

SECONDS = 15 * 60.0
# `Receiving objects:  43% (430/1000), 1.20 MiB | 2.00 MiB/s`, with `remote: ` before the server's.
_PROGRESS = re.compile(r"(?:remote: )?([A-Z][A-Za-z ]{2,40}): +\d+% \((\d+)/(\d+)\)")
Tell = Callable[[str, int, int], None]
"""What Git does, how much of it is done, of how much."""


def clone(
    repository: GitUrl,
    target: Path,
    credential: Credential | None,
    control: RunControl,
    tell: Tell,
) -> None:
    """Makes `target`. Raises `not_found`, `sync_failed`, `disk_full`, `timeout` or what
    `control.check` raises; what is left of `target` then is the caller's to remove."""

    def told(line: str) -> None:
        if found := _PROGRESS.match(line):
            tell(found[1], int(found[2]), int(found[3]))

    finished = run(
        (
            "clone",
            "--progress",
            "--template=",
            "--no-recurse-submodules",
            "--origin=origin",
            "--",
            repository.url,
            str(target),
        ),
        target.parent,
        environment(credential),
        control,
        told=told,
    )
    if finished.code != 0:
        raise failed("Cloning failed", finished, target.parent, repository)


def github_credential(repository: GitUrl, settings: Settings) -> Credential | None:
    """SCAR's token, for the repositories of its own GitHub alone."""
    token = settings.github_token
    if token is None or repository.scheme != "https":
        return None
    if repository.place != github_place(settings.github_api_url):
        return None
    return Credential(repository.place, "x-access-token", token)
