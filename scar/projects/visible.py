"""The projects file as one person may see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from scar.errors import ErrorRecord, ScarError
from scar.projects.file import ProjectsFile
from scar.projects.project import Project


class VisibleProjects(ProjectsFile):
    """The `shown` projects of a file; all others raise the same error as unknown names. With
    `tell_problem`, the file's error is included.
    """

    def __init__(
        self, whole: ProjectsFile, shown: Callable[[Project], bool], *, tell_problem: bool
    ) -> None:
        super().__init__(whole.path)
        self._whole = whole
        self._shown = shown
        self._tell_problem = tell_problem

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects that are shown, by name."""
        every = self._whole.projects.items()
        return MappingProxyType({name: entry for name, entry in every if self._shown(entry)})

    @property
    def problem(self) -> ErrorRecord | None:
        """The error in the file; None if the person may not see it."""
        return self._whole.problem if self._tell_problem else None

    def reload(self) -> None:
        """Read the file again."""
        self._whole.reload()

    def _fatal_problem(self) -> ScarError | None:
        problem = None if self._whole.projects else self.problem
        return ScarError(problem.code, problem.message, problem.hint) if problem else None
