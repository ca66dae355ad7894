"""Suggests and adds entries of the projects file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from scar.errors import ScarError
from scar.jobs.results.json_record import ABSENT
from scar.jobs.results.project_entry import ProjectEntry
from scar.projects import ProjectsFile, folders
from scar.projects.parser import parse_projects
from scar.settings import Settings

_DEFAULT_PARENT = Path("/srv/production")
_INDENT = re.compile(r'\n([ \t]+)"')


def entry_for(settings: Settings, name: str, production: str | None = None) -> ProjectEntry:
    """Return a suggested entry for a cloned workspace `name`.

    Without `production`, the production folder is placed beside those of the host's other projects.
    """
    return ProjectEntry(
        workspace=str(settings.projects_file.parent / name),
        production=production or str(_suggested_production(settings, name)),
        compose_project=name.replace(".", "-"),
        auto_detect=True,
        host=ABSENT if settings.host == "default" else settings.host,
    )


def _suggested_production(settings: Settings, name: str) -> Path:
    others = ProjectsFile.of(settings).projects.values()
    parents = [str(p.production.parent) for p in others if p.host == settings.host]
    parent = Path(os.path.commonpath(parents)) if parents else _DEFAULT_PARENT
    production = parent / name
    workspace = settings.projects_file.parent / name
    unfit = folders.not_for_production(production) or parent == Path("/")
    if unfit or folders.inside(production, workspace) or folders.inside(workspace, production):
        return _DEFAULT_PARENT / name
    return production


def with_entry(text: str, name: str, entry: ProjectEntry) -> str:
    """Return the text of a projects file with an entry added at its end, and everything else
    unchanged.

    Raises `project_invalid` if the text is not a valid projects file before or after the change,
    and `conflict` if it already has an entry with that name.
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
    match = _INDENT.search(text)
    indent: str | int = match[1] if match else 2
    body = json.dumps({name: entry.to_json()}, indent=indent, ensure_ascii=False)[1:-1].strip("\n")
    end = text.rindex("}")
    before = text[:end].rstrip()
    comma = "," if known else ""
    added = f"{before}{comma}{newline}{body.replace(chr(10), newline)}{newline}{text[end:]}"
    _require_valid(added, "The entry cannot be added")
    return added


def _require_valid(text: str, what: str) -> None:
    _, problems = parse_projects(text.removeprefix("\ufeff"))
    if problems:
        raise ScarError("project_invalid", f"{what}: {problems[0]}", "Correct that, then try again")
