"""The base classes of commands that are answered without a worker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scar.access import Access, Actor
from scar.commands.command import Command
from scar.commands.job_command import Invocation, JobCommand
from scar.document import Document
from scar.errors import ErrorRecord
from scar.jobs.record import Job
from scar.projects import Project, ProjectsFile

if TYPE_CHECKING:  # they import redis, which would slow down the shell
    from scar.alerts.desk import AlertDesk
    from scar.audit import Audit
    from scar.jobs.ledger import Ledger
    from scar.jobs.locks import Locks


@dataclass(frozen=True)
class CommandContext:
    """The services for commands that create no job.

    `default` returns the project to use if the command names none; `cancel` cancels a job on behalf
    of an actor; `problems` returns what hosts find wrong with their projects, by name; `containers`
    the names of a project's containers and services, None where its host tells none; `page_link`
    makes a link that signs a person in to the page. `private`: nobody but the person reads the
    reply. `chat` is where the command was typed, as the projects file names it under `alerts`:
    `telegram:-100123/7`.
    """

    projects: ProjectsFile
    access: Access
    ledger: Ledger
    audit: Audit
    commands: Callable[[], tuple[Command, ...]]
    locks: Locks
    alerts: AlertDesk
    default: Callable[[], Project]
    cancel: Callable[[Actor, str], Job]
    problems: Callable[[], Mapping[str, ErrorRecord]]
    containers: Callable[[Project], Sequence[str] | None]
    page_link: Callable[[Actor], str]
    private: bool = False
    chat: str = ""


class LocalCommand(Command):
    """A command whose reply is sent at once, in the chat where it was typed."""

    @abstractmethod
    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        """Run the command and return its reply."""


class WindowCommand(Command):
    """A command that shows an existing job where the command is typed, wherever the job was
    requested.
    """

    @abstractmethod
    def find(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Job:
        """Return the job that the command's words name."""


class RepeatCommand(Command):
    """A command that repeats the request of an earlier job, as if it were typed again."""

    @abstractmethod
    def find(
        self, actor: Actor, words: Sequence[str], context: CommandContext
    ) -> tuple[JobCommand, Invocation]:
        """Return the command and the request of the job that the words name."""
