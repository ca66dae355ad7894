"""The commands that a visitor may run on the page, in the same words as in a chat."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from scar.api.auth import actor, known_everywhere, voucher
from scar.api.context import context
from scar.commands import all_commands
from scar.commands.command_parser import CommandParser, ParsedCommand
from scar.commands.local_command import CommandContext
from scar.document import Button
from scar.errors import ScarError
from scar.projects import Project
from scar.projects.visible import VisibleProjects


@dataclass(frozen=True)
class Choice:
    """A button that runs a command. `key` is its idempotency key, so that two taps create one
    job.
    """

    label: str
    text: str
    key: str


def choice(label: str, text: str) -> Choice:
    """Return a button with a key of its own."""
    return Choice(label, text, secrets.token_urlsafe(12))


def parse(text: str) -> ParsedCommand:
    """Parse a text as a command. Raises `invalid_request`."""
    parsed = CommandParser(all_commands()).parse(text)
    if isinstance(parsed, ParsedCommand):
        return parsed
    raise ScarError("invalid_request", f"'{text[:64]}' is no command", "/help lists what is.")


def choices(project: Project | None, *buttons: tuple[str, str]) -> list[Choice]:
    """Return the buttons (label, command) whose command the visitor may use."""
    return [choice(label, text) for label, text in buttons if _may_say(text, project)]


def choices_of(buttons: Iterable[Button], project: Project | None) -> list[Choice]:
    """Return the commands behind a document's buttons that the visitor may use."""
    return choices(project, *((b.label, b.command) for b in buttons if b.command))


def visible_file() -> VisibleProjects:
    """Return the projects file as the visitor may see it."""
    services = context().services
    access, who = services.access, actor()
    return VisibleProjects(
        services.projects,
        lambda project: access.role_of(who, project) is not None,
        tell_problem=known_everywhere(),
    )


def default_project(projects: VisibleProjects) -> Project:
    """Return the default project, of those that the visitor may see."""
    named = context().services.settings.default_project
    if named is not None and named in projects.projects:
        return projects.get(named)
    for project in projects.projects.values():
        return project
    raise ScarError("project_not_found", "You may see no project", "An admin can give you a role.")


def command_context() -> CommandContext:
    """Return the context in which the visitor's commands run that need no job."""
    services, projects = context().services, visible_file()
    return replace(
        services.command_context,
        projects=projects,
        default=partial(default_project, projects),
        cancel=partial(services.job_service.cancel, voucher=voucher()),
        private=True,
    )


def _may_say(text: str, project: Project | None) -> bool:
    try:
        command = parse(text).command
    except ScarError:
        return False
    return context().services.access.allows(actor(), command.role, project)
