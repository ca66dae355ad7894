"""Applies an undo record to production's files, and reverts it.

Each file is written to a temporary file in the same folder and renamed to its target. All new
content is on disk before the first rename, synced in one batch by `syncfs` (one `fsync` for each
file costs more than copying). Every step first checks what is already done, so both functions can
run again after a kill at any moment. No folder on the way to a file may be a symbolic link: each is
opened relative to its parent with O_NOFOLLOW.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from scar.errors import ScarError
from workers.files.content_store import ContentStore
from workers.files.durable import make_folders
from workers.files.failures import changed_meanwhile, file_errors
from workers.files.staging import stage
from workers.files.stat_cache import StatCache
from workers.files.transition import Transition
from workers.files.tree import Tree
from workers.files.undo import Undo

__all__ = ["apply", "revert", "stage"]

Report = Callable[[int, int], None]
"""A function that is called with the number of files written so far and the number of all
changes.
"""


def apply(
    undo: Undo, store: ContentStore, cache: StatCache, report: Report, check: Callable[[], None]
) -> None:
    """Bring production from the state `before` to the state `after`.

    Raises `sync_failed` if a path is in neither state, because somebody changed it after the plan
    was made; the caller then reverts. `check` may raise to cancel, but only before the first
    rename.
    """
    with _open_root(undo) as tree:
        transition = Transition(undo, tree, store, cache, forward=True)
        transition.clear_temporaries()
        pending = transition.find_pending()
        if transition.unexpected:
            raise changed_meanwhile(tree.absolute(transition.unexpected[0]))
        coming = [path for path in pending if undo.after[path] is not None]
        going = [path for path in pending if undo.after[path] is None]
        try:
            for done, path in enumerate(coming, 1):
                check()
                transition.write(path)
                report(done, len(pending))
            check()
            transition.sync()
            _rename(transition, coming, going)
        except BaseException:
            transition.clear_temporaries()
            raise
        transition.sync()
        report(len(pending), len(pending))


def _open_root(undo: Undo) -> Tree:
    with file_errors(undo.root):
        make_folders(Path(undo.root))
        return Tree(undo.root)


def _rename(transition: Transition, coming: list[str], going: list[str]) -> None:
    """Rename new files to their targets before removing old ones.

    Where a file takes the place of a folder, or the reverse, the old one has to be removed first.
    """
    blocked: list[str] = []
    for path in coming:
        if transition.is_blocked(path):
            blocked.append(path)
        else:
            transition.place(path)
    for path in going:
        transition.remove(path)
    for folder in transition.folders_to_remove():
        transition.remove_folder(folder)
    for path in blocked:
        transition.place(path)


def revert(undo: Undo, store: ContentStore, cache: StatCache) -> list[str]:
    """Bring production back to the state `before`; return the paths that somebody changed
    meanwhile.

    Their content is copied to the store first. A path that cannot be restored does not stop the
    others; the first such error is raised at the end.
    """
    if "" in undo.made and not os.path.isdir(undo.root):
        return []
    with _open_root(undo) as tree:
        transition = Transition(undo, tree, store, cache, forward=False)
        errors = _bring_back(transition, undo)
    if "" in undo.made and not errors:
        with file_errors(undo.root):
            if not os.listdir(undo.root):
                os.rmdir(undo.root)
    if errors:
        raise errors[0]
    return transition.unexpected


def _bring_back(transition: Transition, undo: Undo) -> list[ScarError]:
    """Remove files first, which frees space; then restore files in one batch, or one by one if
    that fails.
    """
    transition.clear_temporaries()
    pending = transition.find_pending()
    errors = list(transition.errors)
    errors += _each(transition.remove, [path for path in pending if undo.before[path] is None])
    errors += _each(transition.remove_folder, transition.folders_to_remove())
    coming = [path for path in pending if undo.before[path] is not None]
    try:
        for path in coming:
            transition.write(path)
        transition.sync()
        for path in coming:
            transition.place(path)
    except ScarError:
        transition.clear_temporaries()
        rest = [path for path in coming if path not in transition.placed]
        errors += _each(transition.write_and_place, rest)
    errors += _each(transition.restore_folder, sorted(undo.folders))
    transition.sync()
    return errors


def _each(act: Callable[[str], None], paths: list[str]) -> list[ScarError]:
    errors: list[ScarError] = []
    for path in paths:
        try:
            act(path)
        except ScarError as error:
            errors.append(error)
    return errors
