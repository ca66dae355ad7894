"""Fast-forwards a workspace to a later commit, in a way that can be resumed after a kill.

New objects and files are first copied to the workspace's `.git` and to a content store. Then a
record of the fast-forward is synced to the disk. Then files, index and refs are changed, each by a
step that may be repeated. Files are replaced as in a deploy: by rename, never through a symbolic
link, and never if somebody has changed them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.files.apply import apply, stage
from workers.files.compare import existing
from workers.files.content_store import ContentStore
from workers.files.durable import read_json, write_synced
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.git.command import query
from workers.git.dotgit import DotGit
from workers.git.incoming import IncomingChanges
from workers.git.shadow import ShadowRepository

_HINT = "See to it that `git status` there is clean, remove that file, then deploy again."


@dataclass(frozen=True)
class FastForward:
    """A fast-forward of `branch` from commit `before` to `after`; the folder `state` contains
    its record.
    """

    state: Path
    workspace: Path
    branch: str
    before: str
    after: str
    job: str

    @classmethod
    def is_interrupted(cls, state: Path) -> bool:
        """Return whether a fast-forward was begun and has not ended."""
        return (state / "note.json").exists()

    @classmethod
    def resume(cls, state: Path, workspace: Path) -> None:
        """Finish an interrupted fast-forward.

        Raises `conflict` if somebody has changed the same files since. If the workspace has been
        moved to another commit since, the record is deleted instead.
        """
        if cls.is_interrupted(state):
            record = read_json(state / "note.json", dict, _HINT)
            forward = cls(state=state, workspace=workspace, **record)
            commit = query(workspace, "rev-parse", "--verify", "-q", "HEAD")
            head = query(workspace, "symbolic-ref", "-q", "HEAD")
            if head == forward._ref and commit in (forward.before, forward.after):
                shadow = ShadowRepository(state / "git", workspace)
                dotgit = DotGit(workspace)
                dotgit.require_plain(*forward._refs)
                for ref in forward._refs:
                    dotgit.drop_ref_locks(ref)
                with dotgit.index_locked(_never_cancel):
                    forward._finish(shadow)
        shutil.rmtree(state, ignore_errors=True)

    def run(self, shadow: ShadowRepository, check: Callable[[], None]) -> None:
        """Fast-forward the workspace, which must be clean. `shadow` has `before` as its HEAD,
        and contains `after`.
        """
        dotgit = DotGit(self.workspace)
        dotgit.require_plain(*self._refs)
        with dotgit.index_locked(check):
            undo = self._prepare(shadow, check)
            for pack in shadow.packs:
                dotgit.add_pack(pack)
            check()
            undo.save(self.state / "undo.json")
            record = asdict(self)
            write_synced(
                self.state / "note.json",
                json.dumps({key: record[key] for key in ("branch", "before", "after", "job")}),
            )
            try:
                self._finish(shadow)
            except ScarError:
                if _is_untouched(undo):
                    (self.state / "note.json").unlink()
                raise
        shutil.rmtree(self.state, ignore_errors=True)

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def _refs(self) -> tuple[str, str]:
        """The refs that the fast-forward moves, the branch last."""
        return f"refs/remotes/origin/{self.branch}", self._ref

    @property
    def _store(self) -> ContentStore:
        return ContentStore(self.state / "objects")

    def _prepare(self, shadow: ShadowRepository, check: Callable[[], None]) -> Undo:
        """Return the undo record, with all contents copied to the store; the workspace is not
        changed.
        """
        tree = self.state / "tree"
        changes = IncomingChanges(shadow, self.before, self.after).check_out(tree)
        undo = Undo.of(self.job, str(self.workspace), changes)
        stage(str(tree), undo.root, undo, self._store, check)
        return undo

    def _finish(self, shadow: ShadowRepository) -> None:
        """Change files, index and refs. Each step may be repeated, and none can be cancelled."""
        undo = Undo.load(self.state / "undo.json")
        assert undo is not None
        try:
            apply(undo, self._store, StatCache(), _ignore_progress, _never_cancel)
        except ScarError as error:
            if error.code == "disk_full":
                raise
            raise ScarError(
                "conflict",
                f"An update of {self.workspace} to {self.after[:7]} is not finished: "
                f"{error.message}",
                f"Bring that file to what {self.before[:7]} or {self.after[:7]} has, then deploy.",
            ) from error
        shadow.set_head(self.before)
        shadow.text("read-tree", "-i", "-m", self.before, self.after)
        shadow.refresh()
        dotgit = DotGit(self.workspace)
        dotgit.replace_index(shadow.folder / "index")
        for ref in self._refs:
            self._move(ref)
        dotgit.give_to_owner()
        (self.state / "note.json").unlink()

    def _move(self, ref: str) -> None:
        words = ("update-ref", "-m", "scar: forward", ref, self.after)
        env = {"GIT_COMMITTER_NAME": "SCAR", "GIT_COMMITTER_EMAIL": "scar@localhost"}
        if query(self.workspace, *words, env=env) is None:
            raise ScarError(
                "sync_failed",
                f"The branch {ref} of {self.workspace} cannot be moved to {self.after[:7]}",
                "See whether `git update-ref` there can; the next deploy tries again.",
            )


def _is_untouched(undo: Undo) -> bool:
    """Return whether every path is still in its state before the fast-forward."""
    for path, entry in undo.before.items():
        now = existing(undo.root, path, StatCache()).get(path)
        if now is not entry and (entry is None or not entry.same_content(now)):
            return False
    return True


def _never_cancel() -> None:
    """Ignore cancellation, since a fast-forward that has changed files must be finished."""


def _ignore_progress(_done: int, _total: int) -> None:
    """Ignore progress, because the step that updates the workspace shows none."""
