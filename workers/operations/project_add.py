"""The handler of `project_add`, which adds an entry to the projects file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.project_add import ProjectAddPlan, ProjectAddResult
from scar.projects.entry import entry_for, with_entry
from workers.files.durable import sync_folder
from workers.files.failures import file_errors
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome
from workers.state.project_lock import project_lock

_LARGEST = 1 << 20


@dataclass(frozen=True)
class _File:
    """The projects file as it was read; `path` is the real file if the configured path is a
    link.
    """

    path: Path
    content: bytes
    status: os.stat_result

    @property
    def text(self) -> str:
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            message = f"{self.path} is not UTF-8 text (byte {error.start})"
            raise ScarError("project_invalid", message, "Mend it, then try again.") from error


@dataclass(frozen=True)
class _Addition:
    """The projects file as it was read, and its new text with the entry."""

    file: _File
    text: str


class ProjectAdd(WriteJob[_Addition, ProjectAddPlan, ProjectAddResult]):
    """Replaces the projects file atomically, unless it has changed since it was read."""

    kind = "project_add"

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the lock of the projects file."""
        return project_lock(context.settings.state_dir / "projects-file", context.check)

    def recover(self, context: JobContext, _lock: int, /) -> Outcome[ProjectAddResult] | None:
        """Report the entry if an earlier attempt of this job has added it."""
        if context.attempt == 1:
            return None
        file = _read(context.settings.projects_file)
        if not _has(file, _name(context)):
            return None
        return Outcome(JobState.SUCCEEDED, ProjectAddResult(_name(context), str(file.path)))

    def make_plan(self, context: JobContext, /) -> tuple[_Addition, ProjectAddPlan]:
        """Return the entry, validated as part of the whole projects file."""
        file = _read(context.settings.projects_file)
        name, production = _name(context), context.request.args.get("production")
        entry = entry_for(context.settings, name, production)
        text = with_entry(file.text, name, entry)
        workspace = Path(entry.workspace)
        if workspace.is_symlink() or not workspace.is_dir():
            raise ScarError(
                "project_invalid", f"There is no folder {workspace}", "/clone URL makes one."
            )
        digest = hashlib.sha256(file.content + b"\0" + text.encode()).hexdigest()
        plan = ProjectAddPlan(hash=digest, name=name, entry=entry, file=str(file.path))
        return _Addition(file, text), plan

    def execute(
        self, context: JobContext, addition: _Addition, execution: Execution[ProjectAddPlan], /
    ) -> Outcome[ProjectAddResult]:
        """Write the projects file with the entry."""
        context.check()
        _replace(addition.file, addition.text)
        plan = execution.plan
        return Outcome(JobState.SUCCEEDED, ProjectAddResult(plan.name, plan.file))


def _name(context: JobContext) -> str:
    return str(context.request.args["name"])


def _has(file: _File, name: str) -> bool:
    return name in json.loads(file.text.removeprefix("\ufeff"))


def _read(projects_file: Path) -> _File:
    path = Path(os.path.realpath(projects_file))
    if not path.exists():
        raise ScarError(
            "project_invalid",
            f"There is no projects file {projects_file}",
            "`scar init` writes one from the Compose projects that run; or write `{}` into it.",
        )
    with file_errors(str(path)), path.open("rb") as opened:
        status = os.fstat(opened.fileno())
        content = opened.read(_LARGEST + 1)
    if not stat.S_ISREG(status.st_mode) or len(content) > _LARGEST:
        raise ScarError("project_invalid", f"{path} is no projects file", "Mend it first.")
    return _File(path, content, status)


def _replace(file: _File, text: str) -> None:
    """Write the new text to a temporary file, synced and with the mode and owner of the old file,
    and rename it.

    Raises `conflict` if the projects file has changed since it was read.
    """
    beside = file.path.with_name(f".{file.path.name.lstrip('.')}.scar-new")
    try:
        with file_errors(str(file.path)):
            beside.unlink(missing_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as opened:
                opened.write(text.encode())
                opened.flush()
                if os.geteuid() == 0:
                    os.fchown(handle, file.status.st_uid, file.status.st_gid)
                os.fchmod(handle, stat.S_IMODE(file.status.st_mode))
                os.fsync(handle)
            if file.path.read_bytes() != file.content:
                raise ScarError(
                    "conflict",
                    f"{file.path} was changed by somebody at this moment",
                    "Nothing was added; try again.",
                )
            os.replace(beside, file.path)
            sync_folder(file.path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


HANDLER = ProjectAdd()
