"""Changes the owner of root's files in a workspace to the agent's user for a run, and back
afterwards.

A note on disk precedes the first change of owner, so that if the worker is killed, the next job in
the workspace can change the owners back. Files with a second hard link and setuid or setgid files
keep their owner, and no symbolic link is followed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from workers.agent.walk import WalkEntry, walk
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.tree import Tree

_HINT = "It names a workspace whose files are another user's now: chown them, then remove it."
_ROOT = 0
_PATH_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class HandoverNote:
    """Which workspace was handed over to which user. `theirs` are the paths that `uid` owned
    before.
    """

    workspace: str
    uid: int
    gid: int
    theirs: tuple[str, ...]

    def to_json(self) -> str:
        """Return the note, which says whose files were handed over, as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, values: Any) -> HandoverNote:
        """Parse the note; raise `LookupError` or `TypeError` if it is damaged."""
        theirs = tuple(values["theirs"])
        return cls(values["workspace"], values["uid"], values["gid"], theirs)


def hand_over(note: Path, workspace: Path, uid: int, gid: int) -> None:
    """Change the owner of root's files and folders in the workspace to `uid`; keep their groups.

    `gid` is the agent's group, by which `take_back` recognises files that the agent created. Raises
    `sync_failed` or `disk_full`.
    """
    with file_errors(str(workspace)):
        tree = Tree(str(workspace))
    with tree:
        theirs = tuple(entry.path for entry in walk(tree) if entry.status.st_uid == uid)
        write_synced(note, HandoverNote(str(workspace), uid, gid, theirs).to_json())
        for entry in walk(tree):
            if _may_go(entry.status):
                _chown(tree, entry, uid, -1, _may_go)
        with file_errors(tree.root):
            os.fchown(tree.folder(""), uid, -1)


def take_back(note: Path) -> None:
    """Make root the owner of the files in the note and of those that the agent created; then delete
    the note.

    Does nothing if there is no note. Raises `sync_failed`.
    """
    if not note.exists():
        return
    record = read_json(note, HandoverNote.from_json, _HINT)
    root = record.workspace
    if os.path.isdir(root) and not os.path.islink(root):
        with file_errors(root):
            tree = Tree(root)
        with tree:
            _take_back(tree, record)
    with file_errors(str(note)):
        note.unlink()


def _take_back(tree: Tree, record: HandoverNote) -> None:
    theirs = set(record.theirs)
    with file_errors(tree.root):
        root = os.fstat(tree.folder(""))
        if root.st_uid == record.uid:
            os.fchown(tree.folder(""), _ROOT, -1)
    for entry in walk(tree):
        if entry.status.st_uid == record.uid and entry.path not in theirs:
            # Files that the agent created have its group; handed-over files kept theirs.
            group = root.st_gid if entry.status.st_gid == record.gid else -1
            _chown(tree, entry, _ROOT, group, lambda status: status.st_uid == record.uid)
        if entry.is_too_deep:
            _log.warning("too deep to be taken back", folder=tree.absolute(entry.path))


def _may_go(status: os.stat_result) -> bool:
    if status.st_uid != _ROOT:
        return False
    if stat.S_ISDIR(status.st_mode):
        return True
    plain = not status.st_mode & (stat.S_ISUID | stat.S_ISGID)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and plain


def _chown(
    tree: Tree,
    entry: WalkEntry,
    uid: int,
    gid: int,
    condition: Callable[[os.stat_result], bool],
) -> None:
    """Change the owner of a path if it exists and its `stat` still meets the condition.

    A process of the agent's user may replace the path after it was listed. The file is therefore
    opened with O_PATH, checked, and changed through /proc/self/fd (see open(2)).
    """
    with file_errors(tree.absolute(entry.path)):
        try:
            folder, name = tree.split(entry.path)
            handle = os.open(name, _PATH_ONLY, dir_fd=folder)
        except FileNotFoundError:
            return
        try:
            if condition(os.fstat(handle)):
                os.chown(f"/proc/self/fd/{handle}", uid, gid)
        finally:
            os.close(handle)
