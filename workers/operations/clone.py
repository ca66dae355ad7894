"""The handler of `clone`, which clones a repository into the folder of workspaces, completely or
not at all.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from scar.errors import ScarError
from scar.git_url import GitUrl
from scar.jobs.record import JobState
from scar.jobs.results.clone import ClonePlan, CloneResult
from scar.projects import ProjectsFile
from scar.projects.entry import entry_for
from scar.projects.schema import is_name
from workers.engine.process import RunControl
from workers.files.durable import read_json, sync_filesystem, write_synced
from workers.files.failures import file_errors
from workers.git.clone import SECONDS, clone, github_credential
from workers.git.command import query
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome
from workers.runtime.step_reporter import RunningStep
from workers.state.host_lock import taken_if_free
from workers.state.project_lock import project_lock

_HIDDEN = ".scar-clone-"
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_HINT = "Remove that file; it only tells whether a clone had come to its end."
_AT_FDCWD, _NOREPLACE = -100, 1
_libc = ctypes.CDLL(None, use_errno=True)


class Clone(WriteJob[GitUrl, ClonePlan, CloneResult]):
    """Clones into a hidden folder next to the target, which is renamed to the target when it is
    complete.
    """

    kind = "clone"

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the lock for the name of the clone."""
        _repository(context).require_allowed(context.settings.clone_hosts)
        return project_lock(_state(context) / _name(context), context.check)

    def recover(self, context: JobContext, _lock: int, /) -> Outcome[CloneResult] | None:
        """Report the clone if an earlier attempt of this job has completed it; otherwise the job
        clones again.
        """
        place = _Place(context)
        if context.attempt > 1 and place.finished():
            return Outcome(JobState.SUCCEEDED, _result(context, _repository(context), place))
        return None

    def make_plan(self, context: JobContext, /) -> tuple[GitUrl, ClonePlan]:
        """Return the repository. The job needs no confirmation, so its plan is only for
        programs.
        """
        plan = ClonePlan(hash=context.request.id, url=str(context.request.args["url"]))
        return _repository(context), plan

    def execute(
        self, context: JobContext, repository: GitUrl, execution: Execution[ClonePlan], /
    ) -> Outcome[CloneResult]:
        """Clone, then rename the clone to its target; if that fails, leave nothing behind."""
        place = _Place(context)
        place.clear()
        place.require_free()
        control = RunControl(context.check, SECONDS, (execution.lock,))
        credential = github_credential(repository, context.settings)
        try:
            with file_errors(str(place.hidden)):
                place.hidden.mkdir(mode=0o700)
            with context.steps.step("cloning", f"Cloning {repository.name}") as step:
                clone(repository, place.made, credential, control, _GitProgress(step))
                context.check()
                place.finish()
        finally:
            place.clear()
        return Outcome(JobState.SUCCEEDED, _result(context, repository, place))


def _repository(context: JobContext) -> GitUrl:
    return GitUrl.parse(str(context.request.args["url"]))


def _name(context: JobContext) -> str:
    name = str(context.request.args["name"])
    if not is_name(name):
        raise ScarError("invalid_request", "That is no project's name", "Give another one.")
    return name


def _state(context: JobContext) -> Path:
    return context.settings.state_dir / "clones"


class _GitProgress:
    """Reports Git's progress as the progress of the step."""

    def __init__(self, step: RunningStep) -> None:
        self._step = step
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase != self._phase:
            self._phase = phase
            self._step.detail(phase)
        self._step.progress(done, total, "objects")


class _Place:
    """The target folder of a clone, and the hidden folder that it is cloned into."""

    def __init__(self, context: JobContext) -> None:
        self.folder = context.settings.projects_file.parent
        self.name = _name(context)
        self.target = self.folder / self.name
        self.hidden = self.folder / f"{_HIDDEN}{self.name}"
        self.made = self.hidden / self.name
        self._job = context.request.id
        self._state = _state(context)
        self._note = self._state / self.name / "done.json"
        if not self.folder.is_dir():
            raise ScarError(
                "project_invalid",
                f"The workspace folder {self.folder} is not there",
                "Make it on the worker's host; it is the folder of SCAR_PROJECTS_FILE.",
            )

    def require_free(self) -> None:
        """Raise `conflict` if anything exists at the target, even a link to nothing."""
        if os.path.lexists(self.target):
            raise _taken(self.target)

    def finished(self) -> bool:
        """Return whether an earlier attempt of this job has completed the clone."""
        if not self._note.exists() or not self.target.is_dir():
            return False
        job, inode = read_json(self._note, lambda note: (note["job"], note["inode"]), _HINT)
        return bool(job == self._job and inode == self.target.lstat().st_ino)

    def clear(self) -> None:
        """Delete what remains of this clone, and of clones whose worker was killed."""
        shutil.rmtree(self.hidden, ignore_errors=True)
        for left in self.folder.glob(f"{_HIDDEN}*"):
            with taken_if_free(self._state / left.name.removeprefix(_HIDDEN) / "lock") as free:
                if free:
                    shutil.rmtree(left, ignore_errors=True)

    def finish(self) -> None:
        """Rename the clone to its target: synced, owned like the folder of workspaces, and never
        replacing anything.
        """
        with file_errors(str(self.target)):
            _give_to_owner(self.made, self.folder)
            sync_filesystem(str(self.made))
            inode = self.made.lstat().st_ino
            write_synced(self._note, json.dumps({"job": self._job, "inode": inode}))
            _rename_over_nothing(self.made, self.target)
            sync_filesystem(str(self.folder))


def _give_to_owner(made: Path, folder: Path) -> None:
    """If the worker is root, give the files to the owner of the folder of workspaces."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for _, folders, files, handle in os.fwalk(made, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=handle, follow_symlinks=False)
    os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _rename_over_nothing(source: Path, target: Path) -> None:
    """Rename with RENAME_NOREPLACE of renameat2(2), since rename(2) would replace an empty folder.

    Raises `conflict` if something exists at the target.
    """
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


def _result(context: JobContext, repository: GitUrl, place: _Place) -> CloneResult:
    known = place.name in ProjectsFile.of(context.settings).projects
    has_compose = any((place.target / name).is_file() for name in _COMPOSE)
    commit = query(place.target, "rev-parse", "--verify", "-q", "HEAD")
    notices = [] if has_compose else ["It has no Compose file at its top."]
    if commit is None:
        notices.append("It is empty: there is no commit in it.")
    return CloneResult(
        name=place.name,
        folder=str(place.target),
        repository=repository.name,
        branch=query(place.target, "symbolic-ref", "-q", "--short", "HEAD"),
        commit=commit,
        entry=None if known else entry_for(context.settings, place.name),
        notices=tuple(notices),
    )


HANDLER = Clone()
