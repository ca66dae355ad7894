"""Clones a repository into the workspace folder: all of it, or nothing."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.projects import ProjectsFile
from scar.projects.schema import is_name
from scar.repository import Repository
from workers.engine.process import RunControl
from workers.files.content_store import sync_filesystem
from workers.files.failures import file_errors
from workers.files.undo import read_json, write_synced
from workers.git.clone import SECONDS, clone, github_credential
from workers.git.command import query
from workers.projects_entry import entry_for
from workers.runtime.context import JobContext, Outcome, StepInHand, WriteJob
from workers.state.project_lock import project_lock

_HIDDEN = ".scar-clone-"
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_HINT = "Remove that file; it only tells whether a clone had come to its end."
_AT_FDCWD, _NOREPLACE = -100, 1
_libc = ctypes.CDLL(None, use_errno=True)


class Clone(WriteJob):
    """Git works in a hidden folder beside, which is renamed once it is whole."""

    kind = "clone"

    def plan(self, context: JobContext) -> dict[str, Any]:
        """It asks nothing: this is for whoever wants to know."""
        return {"url": context.request.args["url"], "hash": context.request.id}

    def run(self, context: JobContext, confirmed: str | None) -> Outcome:  # noqa: ARG002
        """An attempt that was cut off is begun anew, unless it was done but for its last words."""
        repository = Repository.parse(str(context.request.args["url"]))
        repository.require_allowed(context.settings.clone_hosts)
        name = str(context.request.args["name"])
        if not is_name(name):
            raise ScarError("invalid_request", "That is no project's name", "Give another one.")
        state = context.settings.state_dir / "clones"
        with project_lock(state / name, context.check) as lock:
            place = _Place(context, name, state)
            if not (context.attempt > 1 and place.finished()):
                place.clear()
                place.require_free()
                self._clone(context, repository, place, lock)
            return Outcome(JobState.SUCCEEDED, _result(context, repository, place))

    def _clone(self, context: JobContext, repository: Repository, place: _Place, lock: int) -> None:
        control = RunControl(context.check, SECONDS, (lock,))
        credential = github_credential(repository, context.settings)
        try:
            with file_errors(str(place.hidden)):
                place.hidden.mkdir(mode=0o700)
            with context.step("cloning", f"Cloning {repository.name}") as step:
                clone(repository, place.made, credential, control, _Teller(step))
                context.check()
                place.finish()
        finally:
            place.clear()


class _Teller:
    """Git's progress as the step's."""

    def __init__(self, step: StepInHand) -> None:
        self._step = step
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._what = what
            self._step.detail(what)
        self._step.progress(done, total, "objects")


class _Place:
    """Where a clone goes, and where it is until it is whole."""

    def __init__(self, context: JobContext, name: str, state: Path) -> None:
        self.folder = context.settings.projects_file.parent
        self.name = name
        self.target = self.folder / name
        self.hidden = self.folder / f"{_HIDDEN}{name}"
        self.made = self.hidden / name
        self._job = context.request.id
        self._state = state
        self._note = state / name / "done.json"
        if not self.folder.is_dir():
            raise ScarError(
                "project_invalid",
                f"The workspace folder {self.folder} is not there",
                "Make it on the worker's host; it is the folder of SCAR_PROJECTS_FILE.",
            )

    def require_free(self) -> None:
        """Nothing may be at the target, not even a link that leads nowhere."""
        if os.path.lexists(self.target):
            raise _taken(self.target)

    def finished(self) -> bool:
        """Whether this job has put the clone in place already."""
        if not self._note.exists() or not self.target.is_dir():
            return False
        job, inode = read_json(self._note, lambda note: (note["job"], note["inode"]), _HINT)
        return bool(job == self._job and inode == self.target.lstat().st_ino)

    def clear(self) -> None:
        """Removes what is left of this clone, and of others whose worker was killed."""
        shutil.rmtree(self.hidden, ignore_errors=True)
        for left in self.folder.glob(f"{_HIDDEN}*"):
            with _dead(self._state / left.name.removeprefix(_HIDDEN) / "lock") as dead:
                if dead:
                    shutil.rmtree(left, ignore_errors=True)

    def finish(self) -> None:
        """Puts the clone in place: owned as its folder is, on the disk, over nothing."""
        with file_errors(str(self.target)):
            _give(self.made, self.folder)
            sync_filesystem(str(self.made))
            inode = self.made.lstat().st_ino
            write_synced(self._note, json.dumps({"job": self._job, "inode": inode}))
            _rename_to_nothing(self.made, self.target)
            sync_filesystem(str(self.folder))


@contextmanager
def _dead(lock: Path) -> Iterator[bool]:
    """Whether nobody holds the lock of a clone any more; where so, none takes it meanwhile."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False  # not made by a clone of this SCAR
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _give(made: Path, folder: Path) -> None:
    """A worker that is root leaves the files to whoever owns the workspace folder."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for _, folders, files, handle in os.fwalk(made, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=handle, follow_symlinks=False)
    os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _rename_to_nothing(source: Path, target: Path) -> None:
    """renameat2(2): an empty folder, which rename(2) would replace, is something too."""
    names = os.fsencode(source), os.fsencode(target)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _NOREPLACE) != 0:
        number = ctypes.get_errno()
        if number == errno.EEXIST:
            raise _taken(target)
        raise OSError(number, os.strerror(number))


def _taken(target: Path) -> ScarError:
    return ScarError(
        "conflict",
        f"There is something at {target} already",
        f"Give another name: /clone URL NAME. Or /project_add {target.name} if it is the clone.",
    )


def _result(context: JobContext, repository: Repository, place: _Place) -> dict[str, Any]:
    known = place.name in ProjectsFile.of(context.settings).projects
    has_compose = any((place.target / name).is_file() for name in _COMPOSE)
    commit = query(place.target, "rev-parse", "--verify", "-q", "HEAD")
    notices = [] if has_compose else ["It has no Compose file at its top."]
    if commit is None:
        notices.append("It is empty: there is no commit in it.")
    return {
        "name": place.name,
        "folder": str(place.target),
        "repository": repository.name,
        "branch": query(place.target, "symbolic-ref", "-q", "--short", "HEAD"),
        "commit": commit,
        "entry": None if known else entry_for(context.settings, place.name),
        "notices": notices,
    }


HANDLER = Clone()
