"""Root's files in a workspace, handed over to the agent's user for its run and taken back.

It is noted first what is handed over, so that whoever holds the workspace next can take back what
a killed worker could not. A file that has another name somewhere, or that gives whoever runs it
another identity, is never handed over; nothing is reached through a link.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import structlog

from workers.agent.walk import Item, walk
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.files.tree import Tree

_HINT = "It names a workspace whose files are another user's now: chown them, then remove it."
_ROOT = 0
_HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_log = structlog.get_logger(__name__)


def hand_over(note: Path, workspace: Path, uid: int, gid: int) -> None:
    """Gives root's files and folders in the workspace to `uid`; their groups stay.

    `gid` is the group that what the agent makes will have. Raises `sync_failed`.
    """
    with file_errors(str(workspace)):
        tree = Tree(str(workspace))
    with tree:
        theirs = [item.path for item in walk(tree) if item.status.st_uid == uid]
        found = {"workspace": str(workspace), "uid": uid, "gid": gid, "theirs": theirs}
        write_synced(note, json.dumps(found))
        for item in walk(tree):
            if _may_go(item.status):
                _give(tree, item, uid, -1, _may_go)
        with file_errors(tree.root):
            os.fchown(tree.folder(""), uid, -1)


def take_back(note: Path) -> None:
    """Gives root what was handed over, and what the agent made; nothing without a note."""
    if not note.exists():
        return
    found = read_json(note, dict, _HINT)
    theirs = set(found["theirs"])
    root = found["workspace"]
    if os.path.isdir(root) and not os.path.islink(root):
        with file_errors(root):
            tree = Tree(root)
        with tree:
            _take(tree, found["uid"], found["gid"], theirs)
    with file_errors(str(note)):
        note.unlink()


def _take(tree: Tree, uid: int, gid: int, theirs: set[str]) -> None:
    with file_errors(tree.root):
        here = os.fstat(tree.folder(""))
        if here.st_uid == uid:
            os.fchown(tree.folder(""), _ROOT, -1)
    for item in walk(tree):
        if item.status.st_uid == uid and item.path not in theirs:
            # What was made by the agent is of its group; what was handed over kept its own.
            group = here.st_gid if item.status.st_gid == gid else -1
            _give(tree, item, _ROOT, group, lambda status: status.st_uid == uid)
        if item.closed:
            _log.warning("too deep to be taken back", folder=tree.absolute(item.path))


def _may_go(status: os.stat_result) -> bool:
    if status.st_uid != _ROOT:
        return False
    if stat.S_ISDIR(status.st_mode):
        return True
    plain = not status.st_mode & (stat.S_ISUID | stat.S_ISGID)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and plain


def _give(
    tree: Tree, item: Item, uid: int, gid: int, still: Callable[[os.stat_result], bool]
) -> None:
    """What stands there is held first: another process of the agent's user, at work for another
    project, may have put something else in its place since it was listed."""
    with file_errors(tree.absolute(item.path)):
        try:
            folder, name = tree.split(item.path)
            handle = os.open(name, _HOLD, dir_fd=folder)
        except FileNotFoundError:
            return  # it went meanwhile
        try:
            if still(os.fstat(handle)):
                os.chown(f"/proc/self/fd/{handle}", uid, gid)
        finally:
            os.close(handle)
