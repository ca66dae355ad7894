"""What a command is.

A `JobCommand` makes a job that a worker does; a `LocalCommand` is answered where it was asked.
Both say what they are called, who may use them and how they read; neither knows which front-end
shows them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from scar.access import Access, Actor, Role
from scar.audit import Audit
from scar.document import Code, Document, Line
from scar.errors import ErrorRecord, ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.locks import Locks
from scar.jobs.record import Job, JobState
from scar.projects import Project, ProjectsFile


@dataclass(frozen=True)
class Invocation:
    """A command as somebody typed it: for which project (None: for none), with which arguments."""

    project: Project | None
    args: Mapping[str, Any]


class Command(ABC):
    """What every command says of itself.

    One that `takes_text` is given everything behind its word as one word, line breaks and all.
    """

    word: ClassVar[str]
    usage: ClassVar[str] = ""
    summary: ClassVar[str]
    role: ClassVar[Role] = Role.VIEWER
    rank: ClassVar[int] = 50
    takes_text: ClassVar[bool] = False

    @property
    def spelled(self) -> str:
        """How it is typed, with its arguments."""
        return f"/{self.word} {self.usage}".strip()

    def misuse(self, what: str) -> ScarError:
        """The error for words that the command does not understand."""
        return ScarError("invalid_request", what, f"Usage: {self.spelled}")


class WhichProject(ScarError):
    """A command that could be meant for several projects; `choices` is its text for each."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        super().__init__("invalid_request", "Which project?", f"Name one of: {', '.join(choices)}.")
        self.choices = choices


class JobCommand(Command):
    """A command that makes a job of a `kind`.

    `asks`: whether it waits for a `yes`. `changes`: whether it changes anything. `for_project`:
    whether it is for one project; else it is done on SCAR's own host.
    """

    kind: ClassVar[str]
    asks: ClassVar[bool] = False
    changes: ClassVar[bool] = False
    for_project: ClassVar[bool] = True
    usage: ClassVar[str] = "[project]"

    def locks(self, project: Project | None, args: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """What no other open job may hold beside it; by default the project it changes."""
        return (project.name,) if project and self.changes else ()

    def requires_free(self, project: Project | None, args: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """What no other job may hold when it begins."""
        return ()

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """The typed words after the command; raises `project_not_found` or `invalid_request`."""
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one project, not {len(words)} words")
        return Invocation(projects.get(words[0]) if words else default(), {})

    def arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of an API request, checked; raises `invalid_request`."""
        for name in raw:
            raise self.misuse(f"'{self.kind}' takes no argument '{str(name)[:64]}'")
        return {}

    def question(self, job: Job) -> Document:
        """What is asked before the job runs; `job.plan` holds what would be done."""
        raise NotImplementedError(f"{self.kind} asks nothing")

    @abstractmethod
    def view(self, job: Job) -> Document:
        """The job as it stands: while it runs and once it has succeeded."""


@dataclass(frozen=True)
class Surroundings:
    """What a local command can look at."""

    projects: ProjectsFile
    access: Access
    ledger: Ledger
    audit: Audit
    commands: Callable[[], tuple[Command, ...]]
    locks: Locks
    default: Callable[[], Project]
    cancel: Callable[[Actor, str], Job]


class LocalCommand(Command):
    """A command that is answered at once, without a worker."""

    @abstractmethod
    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:
        """The answer."""


class WindowCommand(Command):
    """A command that shows a job here which was asked for before, perhaps somewhere else."""

    @abstractmethod
    def find(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Job:
        """The job."""


AnyCommand = JobCommand | LocalCommand | WindowCommand


def failure(job: Job, title: str) -> Document:
    """A job that did not succeed: what, why, what to do, and the lines that explain it."""
    error = job.error or ErrorRecord("internal", "It ended without a reason", "See SCAR's log.")
    return error_document(error, title)


def error_document(error: ErrorRecord, title: str) -> Document:
    """An error as a person reads it."""
    blocks: list[Line | Code] = [Line(f"❌ {title}"), Line(error.message)]
    if error.lines:
        blocks.append(Code("\n".join(error.lines)))
    blocks.append(Line(f"💡 {error.hint}"))
    return Document(tuple(blocks))


def refusal(error: ErrorRecord) -> Document:
    """Why something was not even begun."""
    return Document.of(f"❌ {error.message}", f"💡 {error.hint}")


def waiting(job: Job) -> Document | None:
    """The notice while no worker listens for the job's host."""
    if job.state is JobState.QUEUED and job.error:
        return Document.of(f"⏳ {job.error.message}", f"💡 {job.error.hint}")
    return None
