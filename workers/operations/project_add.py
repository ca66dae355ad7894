"""Adds a project to the projects file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.projects.entry import entry_for, with_entry
from workers.files.durable import sync_folder
from workers.files.failures import file_errors
from workers.runtime.context import JobContext, Outcome, PlanChanged, WriteJob
from workers.state.project_lock import project_lock

_LARGEST = 1 << 20


@dataclass(frozen=True)
class _File:
    """The projects file as it was read; `path` is the file itself, links followed."""

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


class ProjectAdd(WriteJob):
    """The file is replaced whole, and only as it was when it was looked at."""

    kind = "project_add"

    def plan(self, context: JobContext) -> dict[str, Any]:
        """The entry, checked in its place."""
        return self._plan(context, _read(context.settings.projects_file))

    def _plan(self, context: JobContext, file: _File) -> dict[str, Any]:
        name, entry = _wanted(context)
        text = with_entry(file.text, name, entry)
        workspace = Path(entry["workspace"])
        if workspace.is_symlink() or not workspace.is_dir():
            raise ScarError(
                "project_invalid", f"There is no folder {workspace}", "/clone URL makes one."
            )
        seen = file.content + b"\0" + text.encode()
        return {
            "name": name,
            "entry": entry,
            "file": str(file.path),
            "hash": hashlib.sha256(seen).hexdigest(),
        }

    def run(self, context: JobContext, confirmed: str | None) -> Outcome:
        """Adds it, unless an attempt that was cut off has."""
        with project_lock(context.settings.state_dir / "projects-file", context.check):
            file = _read(context.settings.projects_file)
            name, entry = _wanted(context)
            if context.attempt == 1 or not _has(file, name):
                plan = self._plan(context, file)
                if confirmed is not None and plan["hash"] != confirmed:
                    raise PlanChanged(plan)
                context.check()
                _replace(file, with_entry(file.text, name, entry))
            return Outcome(JobState.SUCCEEDED, {"name": name, "file": str(file.path)})


def _wanted(context: JobContext) -> tuple[str, dict[str, Any]]:
    args = context.request.args
    name, production = str(args["name"]), args.get("production")
    return name, entry_for(context.settings, name, production)


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
    """Beside, synced, renamed; with the file's mode and owner."""
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
