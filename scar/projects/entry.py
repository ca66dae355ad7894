"""The projects-file entry for a folder of the workspace folder, and the file with it added."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from scar.projects import ProjectsFile, folders
from scar.projects.schema import read
from scar.settings import Settings

_ELSE = Path("/srv/production")
_INDENT = re.compile(r'\n([ \t]+)"')


def entry_for(settings: Settings, name: str, production: str | None = None) -> dict[str, Any]:
    """The entry as it is offered; production beside that of the other projects, if not given."""
    entry: dict[str, Any] = {
        "workspace": str(settings.projects_file.parent / name),
        "production": production or str(_production(settings, name)),
        "compose_project": name.replace(".", "-"),
        "auto_detect": True,
    }
    return entry if settings.host == "default" else {**entry, "host": settings.host}


def _production(settings: Settings, name: str) -> Path:
    others = ProjectsFile.of(settings).projects.values()
    parents = [str(p.production.parent) for p in others if p.host == settings.host]
    place = Path(os.path.commonpath(parents)) / name if parents else _ELSE / name
    workspace = settings.projects_file.parent / name
    unfit = folders.not_for_production(place) or place.parent == Path("/")
    if unfit or folders.inside(place, workspace) or folders.inside(workspace, place):
        return _ELSE / name
    return place


def with_entry(text: str, name: str, entry: dict[str, Any]) -> str:
    """The projects file's text with an entry at its end; every other byte stays as it is.

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
    found = _INDENT.search(text)
    indent: str | int = found[1] if found else 2
    body = json.dumps({name: entry}, indent=indent, ensure_ascii=False)[1:-1].strip("\n")
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
