"""Takes into the store what a change brings and what it replaces; production is not touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from workers.files.content_store import ContentStore
from workers.files.failures import disk_full, existing_folder, file_errors
from workers.files.manifest import Entry
from workers.files.tree import Tree
from workers.files.undo import Undo

_SPARE_BYTES = 1 << 20
_SPARE_FILES = 16


def stage(
    workspace: str, root: str, undo: Undo, objects: ContentStore, check: Callable[[], None]
) -> None:
    """Fills the store for `undo`, from the workspace and from production at `root`.

    Raises `disk_full` before anything is written where the room cannot do, `sync_failed` where a
    file is no longer what it was. Whatever stops it, what it had taken in is given up again.
    """
    coming, replaced = _files(undo.after), _files(undo.before)
    for entry in replaced.values():
        # The only copy there will be: its length alone proves nothing.
        objects.drop_if_damaged(entry)
    lacking = [e for e in (*coming.values(), *replaced.values()) if not objects.holds(e)]
    _require_room(objects.folder, root, lacking, coming.values())
    taken: list[Entry] = []
    try:
        _take(workspace, coming, objects, taken, check)
        if replaced:
            _take(root, replaced, objects, taken, check)
        found = {path: undo.before[path] for path in undo.handmade}
        objects.keep(undo.job, {path: entry for path, entry in found.items() if entry})
    except BaseException:
        objects.discard(taken)
        raise
    objects.sync()


def _files(side: Mapping[str, Entry | None]) -> dict[str, Entry]:
    return {path: entry for path, entry in side.items() if entry and entry.kind == "file"}


def _take(
    root: str,
    files: Mapping[str, Entry],
    objects: ContentStore,
    taken: list[Entry],
    check: Callable[[], None],
) -> None:
    # What is held need not be there any more: a release that comes back is in the store alone.
    lacking = {path: entry for path, entry in files.items() if not objects.holds(entry)}
    if not lacking:
        return
    with file_errors(root):
        tree = Tree(root)
    with tree:
        for path, entry in lacking.items():
            check()
            with file_errors(tree.absolute(path)):
                folder, _ = tree.split(path)
            if objects.put(tree.absolute(path), entry, folder):
                taken.append(entry)


def _require_room(store: str, root: str, lacking: Iterable[Entry], coming: Iterable[Entry]) -> None:
    """The store takes what it lacks; production holds all that comes beside what it has."""
    need: dict[int, tuple[str, int, int]] = {}
    for place, entries in ((store, lacking), (root, coming)):
        with file_errors(place):
            folder = existing_folder(place)
            device, block = os.stat(folder).st_dev, os.statvfs(folder).f_frsize
        sizes = [-(-entry.size // block) * block for entry in entries]
        _, size, count = need.get(device, (place, _SPARE_BYTES, _SPARE_FILES))
        need[device] = (place, size + sum(sizes), count + len(sizes))
    for place, size, count in need.values():
        room = os.statvfs(existing_folder(place))
        full = room.f_files and room.f_favail < count
        if full or room.f_bavail * room.f_frsize < size:
            raise disk_full(place, need=size)
