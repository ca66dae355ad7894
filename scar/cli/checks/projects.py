"""Checks of the projects file, and of the folders and programs on this host that it names."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from scar.cli.checks.check import Check
from scar.errors import nearest
from scar.projects import Project, ProjectsFile, agent_rights
from scar.registration.spec import Finding
from scar.settings import Settings

_MOUNT = "Make it, or mount it into SCAR at the same absolute path."


def of_this_host(settings: Settings) -> list[Project]:
    """Return the projects whose jobs run on this host."""
    projects = ProjectsFile.of(settings).projects.values()
    return [project for project in projects if project.host == settings.host]


def _check_projects_file(settings: Settings) -> Iterator[Finding]:
    projects = ProjectsFile.of(settings)
    if projects.problem:
        yield Finding("projects file", projects.problem.message, projects.problem.hint)
        return
    names = projects.names()
    yield Finding("projects file", f"{projects.path}: {', '.join(names) or 'no project yet'}")
    default = settings.default_project
    if default is not None and default not in names:
        yield Finding(
            "SCAR_DEFAULT_PROJECT",
            f"there is no project '{default}' in the projects file",
            f"{nearest(default, names)} It is one of: {', '.join(names) or '(none yet)'}.".strip(),
        )
    workspaces = [project.workspace for project in of_this_host(settings) if project.agent]
    for problem in agent_rights.problems(projects.path, workspaces):
        yield Finding("projects file", problem, agent_rights.REMEDY)


def _check_folders(settings: Settings) -> Iterator[Finding]:
    for project in of_this_host(settings):
        if not project.workspace.is_dir():
            detail = f"{project.workspace} is no folder here"
            yield Finding(f"{project.name}: workspace", detail, _MOUNT)
        yield from _check_production(project)


def _check_production(project: Project) -> Iterator[Finding]:
    folder, subject = project.production, f"{project.name}: production"
    if folder.exists() and not folder.is_dir():
        yield Finding(subject, f"{folder} is no folder here", _MOUNT)
        return
    there = folder
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            subject,
            f"{there} cannot be written" + (": it is mounted read-only" * _is_read_only(there)),
            "A deploy writes there: mount it read-write, or give SCAR's user the folder.",
        )
    elif there != folder:
        yield Finding(subject, f"{folder}: the first deploy makes it")


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _check_agents(settings: Settings) -> Iterator[Finding]:
    for project in of_this_host(settings):
        if project.agent is None:
            continue
        subject = f"{project.name}: agent"
        try:
            program = shlex.split(project.agent)[0]
        except (ValueError, IndexError):
            remedy = "Correct `agent` in the projects file; quotes are those of a shell."
            yield Finding(subject, "its command line cannot be read", remedy)
            continue
        # The agent runs as the owner of the workspace, whose PATH may differ.
        place = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_own_programs(project)}")
        remedy = "Install it where the worker runs, or correct `agent` in the projects file."
        yield Finding(
            subject, f"{program}: {place or 'no such program here'}", "" if place else remedy
        )


def _own_programs(project: Project) -> str:
    try:
        import pwd

        home = pwd.getpwuid(project.workspace.stat().st_uid).pw_dir
    except (OSError, KeyError):
        return ""
    return f"{home}/.local/bin"


CHECKS = (
    Check("projects file", _check_projects_file),
    Check("folders", _check_folders),
    Check("agents", _check_agents),
)
