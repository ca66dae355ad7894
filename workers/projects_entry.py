"""The projects-file entry for a folder of the workspace folder, and the file with it added."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from scar.errors import ScarError
from scar.jobs.results.json_record import ABSENT
from scar.jobs.results.project_entry import ProjectEntry
from scar.projects import ProjectsFile, folders
from scar.projects.schema import read
from scar.settings import Settings

_DEFAULT = Path("/srv/production")
_INDENT = re.compile(r'\n([ \t]+)"')


def entry_for(settings: Settings, name: str, production: str | None = None) -> ProjectEntry:
    """Return the entry that is offered; `production`, if not given, is a folder beside those of
    the other projects.
    """
    return ProjectEntry(
        workspace=str(settings.projects_file.parent / name),
        production=production or str(_production(settings, name)),
        compose_project=name.replace(".", "-"),
        auto_detect=True,
        host=ABSENT if settings.host == "default" else settings.host,
    )


def _production(settings: Settings, name: str) -> Path:
    others = ProjectsFile.of(settings).projects.values()
    parents = [str(p.production.parent) for p in others if p.host == settings.host]
    place = Path(os.path.commonpath(parents)) / name if parents else _DEFAULT / name
    workspace = settings.projects_file.parent / name
    unfit = folders.not_for_production(place) or place.parent == Path("/")
    if unfit or folders.inside(place, workspace) or folders.inside(workspace, place):
        return _DEFAULT / name
    return place


def with_entry(text: str, name: str, entry: ProjectEntry) -> str:
    """Return the projects file's text with an entry at its end; every other byte stays as it is.

    Raises `project_invalid` where the text or the text with the entry is no valid projects file,
    `conflict` where it has the name already.
    """
    _require_valid(text, "The projects file has to be mended first")
    known = json.loads(text.removeprefix("\ufeff"))
    if name in known:
        raise ScarError(
            "conflict",
            f"The projects file has '{name}' already",
            f"/docker_deploy {name} deploys it; edit its entry in the file itself.",
        )
    newline = "\r\n" if "\r\n" in text else "\n"
    indented = _INDENT.search(text)
    indent: str | int = indented[1] if indented else 2
    body = json.dumps({name: entry.to_json()}, indent=indent, ensure_ascii=False)[1:-1].strip("\n")
    end = text.rindex("}")
    before = text[:end].rstrip()
    comma = "," if known else ""
    added = f"{before}{comma}{newline}{body.replace(chr(10), newline)}{newline}{text[end:]}"
    _require_valid(added, "The entry cannot be added")
    return added


def _require_valid(text: str, what: str) -> None:
    _, problems = read(text.removeprefix("\ufeff"))
    if problems:
        raise ScarError("project_invalid", f"{what}: {problems[0]}", "Correct that, then try again")
