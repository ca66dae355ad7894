"""The base class of commands that create a job."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from scar.commands.command import Command
from scar.document import Document
from scar.jobs.record import Job
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile


@dataclass(frozen=True)
class Invocation:
    """The project and the arguments of a typed command; `project` is None if the kind needs
    none.
    """

    project: Project | None
    args: JsonObject


class JobCommand(Command):
    """A command that creates a job of the given `kind`, which a worker runs.

    `asks` is True if the job waits for a `yes`, `changes` if it may change something. A job with
    `for_project` runs on its project's host, any other on SCAR's own host. The types of a kind's
    plan and result are in `scar.jobs.results`.
    """

    kind: ClassVar[str]
    asks: ClassVar[bool] = False
    changes: ClassVar[bool] = False
    for_project: ClassVar[bool] = True
    usage: ClassVar[str] = "[project]"

    def locks(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the resources that the job locks until it ends; by default its project, if the
        job changes something.
        """
        return (project.name,) if project and self.changes else ()

    def requires_free(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the resources that no other job may hold locked when this job begins."""
        return ()

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse the words after the command. `default` returns the project to use if the words name
        none.

        Raises `project_not_found` or `invalid_request`.
        """
        if len(words) > 1:
            raise self.misuse(f"/{self.word} takes one project, not {len(words)} words")
        return Invocation(projects.get(words[0]) if words else default(), {})

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Check and return the arguments of an API request; raise `invalid_request` if they are
        not valid.
        """
        self.require_only(raw)
        return {}

    def require_only(self, raw: JsonObject, *known: str) -> None:
        """Raise `invalid_request` if there are arguments other than `known`."""
        for name in raw:
            if name not in known:
                raise self.misuse(f"'{self.kind}' takes no argument '{str(name)[:64]}'")

    def question(self, job: Job) -> Document:
        """Return the question: what the person has to confirm, according to the job's plan."""
        raise NotImplementedError(f"{self.kind} asks nothing")

    @abstractmethod
    def view(self, job: Job) -> Document:
        """Return the message for a job that needs no confirmation any more: its progress, then
        its result.
        """
