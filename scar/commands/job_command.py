"""The base class of commands that create a job."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from marshmallow import Schema, ValidationError

from scar.commands.arguments import NoArguments, first_problem
from scar.commands.command import Command
from scar.document import Document
from scar.jobs.record import Job
from scar.jobs.results import job_kinds
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile


@dataclass(frozen=True)
class Invocation:
    """The parsed words of a command: its project (None for a command without one) and its
    arguments. `command` is set if the words select another command than the one that was typed.
    """

    project: Project | None
    args: JsonObject
    command: JobCommand | None = None


class JobCommand(Command):
    """A command that creates a job of the given `kind`, which a worker runs.

    `asks`: whether the job waits for a `yes`. `changes`: whether it changes anything.
    `for_project`: whether it is for one project; otherwise it runs on the host in `SCAR_HOST`.
    `schema` checks the arguments of an API request, and describes them there. The plan and the
    result of a kind have their types in `scar.jobs.results`, which also has the role it needs.
    """

    kind: ClassVar[str] = ""
    asks: ClassVar[bool] = False
    changes: ClassVar[bool] = False
    for_project: ClassVar[bool] = True
    schema: ClassVar[type[Schema]] = NoArguments
    usage: ClassVar[str] = "[project]"
    examples: ClassVar[tuple[str, ...]] = ("", "shop")

    def __init_subclass__(cls) -> None:
        """Set the attributes that are defined by the kind, from which workers take them too."""
        super().__init_subclass__()
        if cls.kind in job_kinds():
            kind = job_kinds()[cls.kind]
            cls.role, cls.asks, cls.changes = kind.role, kind.asks, kind.changes

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

    def repeated(self, args: JsonObject) -> JsonObject:
        """Return the arguments with which to repeat a job that had `args`."""
        return args

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return the arguments of an API request as `schema` has checked them.

        Raises `invalid_request`.
        """
        try:
            values: JsonObject = self.schema().load(dict(raw))
        except ValidationError as error:
            raise self.misuse(f"{first_problem(error)} (of '{self.kind}')") from error
        return values

    def question(self, job: Job) -> Document:
        """Return the question: what the person has to confirm, according to the job's plan."""
        raise NotImplementedError(f"{self.kind} asks nothing")

    @abstractmethod
    def view(self, job: Job) -> Document:
        """Return the message for a job that needs no confirmation any more: its progress, then
        its result.
        """
