"""The projects file, which is read again when it changes."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from scar.errors import ErrorRecord, ScarError, project_not_found
from scar.projects import folders
from scar.projects.parser import parse_projects
from scar.projects.project import Project
from scar.settings import Settings

_MAX_BYTES = 1 << 20
_SETTLED_SECONDS = 2.0
_MAX_LISTED = 20

_Signature = tuple[int, int, int, int]


class ProjectsFile:
    """The configuration in force: the projects file as it last was without a mistake.

    Every access checks the file with one `stat` and reads it again when it has changed. A file that
    is missing, half written or breaks a rule changes nothing: the last good configuration stays in
    force for as long as this process lives, and `problem` says what is wrong. A process that starts
    while the file is broken has no projects until the file is mended.

    An instance may be shared by threads. `state_dir` is SCAR's own folder, which no project may
    use.
    """

    def __init__(
        self, path: Path, state_dir: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._state_dir = state_dir
        self._clock = clock
        self._lock = Lock()
        self._projects: Mapping[str, Project] = MappingProxyType({})
        self._problem: ErrorRecord | None = None
        self._seen: _Signature | None = None
        self._content: bytes | None = None

    @classmethod
    def of(cls, settings: Settings) -> ProjectsFile:
        """Return the projects file that the settings name."""
        return cls(settings.projects_file, settings.state_dir)

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects in force by name, in the file's order."""
        with self._lock:
            self._refresh()
            return self._projects

    @property
    def problem(self) -> ErrorRecord | None:
        """What is wrong with the file now, or None where the file is in force."""
        with self._lock:
            self._refresh()
            return self._problem

    def reload(self) -> None:
        """Read the file again, even where `stat` shows no change."""
        with self._lock:
            self._seen = self._content = None
            self._refresh()

    def names(self) -> list[str]:
        """Return the names of the projects in force, in the file's order."""
        return list(self.projects)

    def get(self, name: str) -> Project:
        """Return the project `name`.

        Raises `project_not_found`, or `project_invalid` where the file is broken and no
        configuration is in force.
        """
        projects = self.projects
        if name in projects:
            return projects[name]
        raise self._fatal_problem() or project_not_found(name, list(projects))

    def default(self, settings: Settings) -> Project:
        """Return the project of `SCAR_DEFAULT_PROJECT`, else the first; raises as `get` does."""
        if settings.default_project is not None:
            return self.get(settings.default_project)
        for project in self.projects.values():
            return project
        raise self._fatal_problem() or ScarError(
            "project_not_found",
            f"There is no project in {self.path}",
            "Add one; `scar init` writes the file from the Compose projects that run.",
        )

    def _fatal_problem(self) -> ScarError | None:
        """Return the file's problem as an error, where no configuration is in force."""
        problem = self.problem
        if problem is None or self._projects:
            return None
        return ScarError(problem.code, problem.message, problem.hint)

    def _refresh(self) -> None:
        try:
            if self._seen is not None and self._seen == _signature(os.stat(self.path)):
                return
            content, status = self._read()
        except (OSError, ValueError) as error:
            self._seen = self._content = None
            self._report_unreadable(error)
            return
        # A second change within one tick of the clock leaves the same signature: a file that
        # changed less than two seconds ago is read at every access.
        settled = abs(self._clock() - status.st_ctime) > _SETTLED_SECONDS
        self._seen = _signature(status) if settled else None
        if content != self._content:
            self._content = content
            self._apply(content)

    def _report_unreadable(self, error: OSError | ValueError) -> None:
        if isinstance(error, FileNotFoundError):
            self._report(["there is no such file"], "Let `scar init` write it, or write")
        elif isinstance(error, OSError):
            self._report([f"it cannot be read: {error.strerror or error}"])
        else:
            self._report([str(error)])

    def _read(self) -> tuple[bytes, os.stat_result]:
        """Return the file's content and its status from before it was read.

        Raises OSError, or ValueError with the reason where the file is of a wrong type or size.
        """
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is not a regular file")
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES >> 10} KiB")
        return content, status

    def _apply(self, content: bytes) -> None:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._report([f"it is not UTF-8 text (byte {error.start})"])
            return
        projects, problems = parse_projects(text)
        problems += self._uses_of_state_dir(projects)
        if problems:
            self._report(problems)
            return
        self._projects = MappingProxyType(projects)
        self._problem = None

    def _uses_of_state_dir(self, projects: Mapping[str, Project]) -> list[str]:
        """Return a problem for each project folder that overlaps SCAR's own folder."""
        own = self._state_dir
        if own is None:
            return []
        return [
            f"'{name}': {field}: is SCAR's own folder {own}, holds it or lies in it"
            for name, project in projects.items()
            for field, folder in (
                ("workspace", project.workspace),
                ("production", project.production),
            )
            if folders.inside(folder, own) or folders.inside(own, folder)
        ]

    def _report(self, problems: list[str], mend: str = "Mend") -> None:
        """Make `problems` the file's problem; the configuration in force stays."""
        listed = problems[:_MAX_LISTED]
        if len(problems) > _MAX_LISTED:
            listed.append(f"and {len(problems) - _MAX_LISTED} more")
        what = f", {listed[0].removesuffix('.')}. "
        if len(listed) > 1:
            what = ":\n" + "\n".join(listed) + "\n"
        until = "Still using the last good version." if self._projects else "There is no project."
        self._problem = ErrorRecord(
            "project_invalid",
            f"Projects file not loaded{what}{until}",
            f"{mend} {self.path}; it takes effect by itself.",
        )


def _signature(status: os.stat_result) -> _Signature:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
