"""The projects file, read again when it changes."""

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
from scar.projects.project import Project
from scar.projects.schema import read
from scar.settings import Settings

_LARGEST = 1 << 20
_SETTLED = 2.0
_LISTED = 20

_Signature = tuple[int, int, int, int]


class ProjectsFile:
    """The configuration in force, as the file last had it without a mistake.

    Every access looks at the file once (one `stat`) and reads it again when it has changed. A
    file that is gone, half written or breaks a rule changes nothing: the last good configuration
    stays in force and `problem` says what is wrong. It stays for as long as this process lives;
    a process that starts while the file is broken has no projects until it is mended.

    Threads may share one. `state_dir` is SCAR's own folder, which no project may touch.
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
        """The projects file of the settings."""
        return cls(settings.projects_file, settings.state_dir)

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects in force by name, in the file's order."""
        with self._lock:
            self._refresh()
            return self._projects

    @property
    def problem(self) -> ErrorRecord | None:
        """What is wrong with the file now, or None where it is what is in force."""
        with self._lock:
            self._refresh()
            return self._problem

    def reload(self) -> None:
        """Read the file now, whatever `stat` says."""
        with self._lock:
            self._seen = self._content = None
            self._refresh()

    def names(self) -> list[str]:
        """The names of the projects in force, in the file's order."""
        return list(self.projects)

    def get(self, name: str) -> Project:
        """The project `name`, or `project_not_found`; `project_invalid` if none is in force."""
        projects = self.projects
        if name in projects:
            return projects[name]
        raise self._broken() or project_not_found(name, list(projects))

    def default(self, settings: Settings) -> Project:
        """`SCAR_DEFAULT_PROJECT`, else the first in the file; errors as with `get`."""
        if settings.default_project is not None:
            return self.get(settings.default_project)
        for project in self.projects.values():
            return project
        raise self._broken() or ScarError(
            "project_not_found",
            f"There is no project in {self.path}",
            "Add one; `scar init` writes the file from the Compose projects that run.",
        )

    def _broken(self) -> ScarError | None:
        """The file's problem as an error, where there is no configuration to fall back on."""
        problem = self.problem
        if problem is None or self._projects:
            return None
        return ScarError(problem.code, problem.message, problem.hint)

    def _refresh(self) -> None:
        try:
            if self._seen is not None and self._seen == _signature(os.stat(self.path)):
                return
            content, found = self._read()
        except FileNotFoundError:
            self._seen = self._content = None
            self._fail(["there is no such file"], "Write it, or let `scar init` do so")
            return
        except OSError as error:
            self._seen = self._content = None
            self._fail([f"it cannot be read: {error.strerror or error}"])
            return
        except ValueError as error:
            self._seen = self._content = None
            self._fail([str(error)])
            return
        # A change within the clock's tick leaves the same signature: a file that changed a
        # moment ago is read again until it has settled.
        settled = abs(self._clock() - found.st_ctime) > _SETTLED
        self._seen = _signature(found) if settled else None
        if content != self._content:
            self._content = content
            self._take(content)

    def _read(self) -> tuple[bytes, os.stat_result]:
        """The file's bytes and what `stat` said of them before; a ValueError says why not."""
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("it is not a regular file")
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST >> 10} KiB")
        return content, found

    def _take(self, content: bytes) -> None:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._fail([f"it is not UTF-8 text (byte {error.start})"])
            return
        projects, problems = read(text)
        problems += self._own_folders(projects)
        if problems:
            self._fail(problems)
            return
        self._projects = MappingProxyType(projects)
        self._problem = None

    def _own_folders(self, projects: Mapping[str, Project]) -> list[str]:
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

    def _fail(self, problems: list[str], mend: str = "Mend the file") -> None:
        listed = problems[:_LISTED]
        if len(problems) > _LISTED:
            listed.append(f"and {len(problems) - _LISTED} more")
        listing = f" {listed[0]}" if len(listed) == 1 else "\n" + "\n".join(listed)
        until = (
            "the last good configuration stays in force"
            if self._projects
            else "there is no project"
        )
        self._problem = ErrorRecord(
            "project_invalid",
            f"Projects file {self.path}:{listing}",
            f"{mend}; it takes effect by itself, and until then {until}.",
        )


def _signature(found: os.stat_result) -> _Signature:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
