"""Puts files in place, each whole: written beside its target, then renamed over it.

Every step finds out for itself what is done already, so that the same call can run after a kill at
any instant, and any number of times. All new content is written and brought to the disk before the
first rename (batched with `syncfs`, as one `fsync` a file would cost more than the copy itself).
No folder on the way to a file is ever a symbolic link: each is opened from its parent with
O_NOFOLLOW.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from scar.errors import ScarError
from workers.files.content_store import ContentStore
from workers.files.failures import changed_meanwhile, file_errors
from workers.files.staging import stage
from workers.files.stat_cache import StatCache
from workers.files.transition import Transition
from workers.files.tree import Tree
from workers.files.undo import Undo

__all__ = ["apply", "revert", "stage"]

Tell = Callable[[int, int], None]


def apply(
    undo: Undo, objects: ContentStore, index: StatCache, tell: Tell, check: Callable[[], None]
) -> None:
    """Brings production from `before` to `after`.

    A path that is neither any more was changed by somebody since it was looked at: `sync_failed`,
    and the caller unmakes what was done. `check` raises to call it off: nothing was renamed then.
    """
    with file_errors(undo.root):
        os.makedirs(undo.root, exist_ok=True)
        tree = Tree(undo.root)
    with tree:
        transition = Transition(undo, tree, objects, index, forward=True)
        transition.clear_temporaries()
        todo = transition.look()
        if transition.strange:
            raise changed_meanwhile(tree.absolute(transition.strange[0]))
        coming = [path for path in todo if undo.after[path] is not None]
        going = [path for path in todo if undo.after[path] is None]
        try:
            for done, path in enumerate(coming, 1):
                check()
                transition.write(path)
                tell(done, len(todo))
            check()
            transition.sync()
            _rename(transition, coming, going)
        except BaseException:
            transition.clear_temporaries()
            raise
        transition.sync()
        tell(len(todo), len(todo))


def _rename(transition: Transition, coming: list[str], going: list[str]) -> None:
    """What is new comes first, what it does not replace goes last; but where a file and a folder
    change places, the old one has to go before."""
    blocked: list[str] = []
    for path in coming:
        if transition.blocked(path):
            blocked.append(path)
        else:
            transition.place(path)
    for path in going:
        transition.remove(path)
    for folder in transition.leaving():
        transition.remove_folder(folder)
    for path in blocked:
        transition.place(path)


def revert(undo: Undo, objects: ContentStore, index: StatCache) -> list[str]:
    """Brings production back to `before`; the paths that somebody had changed meanwhile.

    What they were changed to is kept in the store. A path that cannot be brought back does not
    keep the others from it; its error is raised at the end.
    """
    if "" in undo.made and not os.path.isdir(undo.root):
        return []
    with file_errors(undo.root):
        os.makedirs(undo.root, exist_ok=True)
        tree = Tree(undo.root)
    with tree:
        transition = Transition(undo, tree, objects, index, forward=False)
        failed = _bring_back(transition, undo)
    if "" in undo.made and not failed:
        with file_errors(undo.root):
            if not os.listdir(undo.root):
                os.rmdir(undo.root)
    if failed:
        raise failed[0]
    return transition.strange


def _bring_back(transition: Transition, undo: Undo) -> list[ScarError]:
    """Removes first, which frees room; then everything at once, or one by one where that fails."""
    transition.clear_temporaries()
    todo = transition.look()
    failed = list(transition.failed)
    failed += _each(transition.remove, [path for path in todo if undo.before[path] is None])
    failed += _each(transition.remove_folder, transition.leaving())
    coming = [path for path in todo if undo.before[path] is not None]
    try:
        for path in coming:
            transition.write(path)
        transition.sync()
        for path in coming:
            transition.place(path)
    except ScarError:
        transition.clear_temporaries()
        failed += _each(
            transition.bring, [path for path in coming if path not in transition.placed]
        )
    failed += _each(transition.restore_folder, sorted(undo.folders))
    transition.sync()
    return failed


def _each(act: Callable[[str], None], paths: list[str]) -> list[ScarError]:
    failed: list[ScarError] = []
    for path in paths:
        try:
            act(path)
        except ScarError as error:
            failed.append(error)
    return failed
