"""The projects file, which is read again whenever it changes."""

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
    """The last valid configuration that was read from the projects file.

    Every access calls `stat` on the file, and reads it again if it has changed. A file that is
    missing, incomplete or invalid changes nothing: this process keeps using the last valid
    configuration, and `problem` says what is wrong. A process that starts while the file is invalid
    has no projects until the file is corrected.

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
        """Return the projects file whose path is in the settings."""
        return cls(settings.projects_file, settings.state_dir)

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects of the last valid configuration by name, in the file's order."""
        with self._lock:
            self._refresh()
            return self._projects

    @property
    def problem(self) -> ErrorRecord | None:
        """The error in the file as it is now; None if it is valid."""
        with self._lock:
            self._refresh()
            return self._problem

    def reload(self) -> None:
        """Read the file again, even if `stat` shows no change."""
        with self._lock:
            self._seen = self._content = None
            self._refresh()

    def names(self) -> list[str]:
        """Return the names of all projects, in the file's order."""
        return list(self.projects)

    def get(self, name: str) -> Project:
        """Return the project `name`.

        Raises `project_not_found`, or `project_invalid` if the file is invalid and never was valid
        in this process.
        """
        projects = self.projects
        if name in projects:
            return projects[name]
        raise self._fatal_problem() or project_not_found(name, list(projects))

    def default(self, settings: Settings) -> Project:
        """Return the project of `SCAR_DEFAULT_PROJECT`, or else the first one; raise the errors
        of `get`.
        """
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
        """Return the file's error if it has never been valid in this process, else None."""
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
        # Two changes within one tick of the filesystem's clock have the same times. A file that
        # changed less than two seconds ago is therefore read at every access.
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
        """Return the file's content, and its `stat` from before reading.

        Raises `OSError`, or `ValueError` with the reason if it is not a regular file or too large.
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
        """Return a problem for each project whose folders overlap SCAR's own state folder."""
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
