"""Copies old and new contents into the store, before production is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from workers.files.content_store import ContentStore
from workers.files.failures import disk_full, existing_folder, file_errors
from workers.files.manifest import Entry
from workers.files.undo import Undo

_SPARE_BYTES = 1 << 20
_SPARE_FILES = 16


def stage(
    workspace: str, root: str, undo: Undo, store: ContentStore, check: Callable[[], None]
) -> None:
    """Copy every content named in `undo` into the store, from the workspace and from production at
    `root`.

    Raises `disk_full` before anything is written if there is not enough space, `sync_failed` if a
    file has changed since the plan. After any error, the contents that were copied are deleted
    again.
    """
    coming, replaced = _files(undo.after), _files(undo.before)
    for entry in replaced.values():
        # This will be the only copy, so its digest is checked and not only its length.
        store.drop_if_damaged(entry)
    lacking = [e for e in (*coming.values(), *replaced.values()) if not store.holds(e)]
    require_room(store.folder, root, lacking, coming.values())
    taken: list[Entry] = []
    try:
        store.take_in(workspace, coming, check, taken)
        store.take_in(root, replaced, check, taken)
        store.keep(undo.job, {p: e for p in undo.handmade if (e := undo.before[p])})
    except BaseException:
        store.discard(taken)
        raise
    store.sync()


def _files(side: Mapping[str, Entry | None]) -> dict[str, Entry]:
    return {path: entry for path, entry in side.items() if entry and entry.kind == "file"}


def require_room(folder: str, root: str, lacking: Iterable[Entry], coming: Iterable[Entry]) -> None:
    """Raise `disk_full` unless the store has room for what it lacks, and production for all new
    files beside the old ones."""
    need: dict[int, tuple[str, int, int]] = {}
    for place, entries in ((folder, lacking), (root, coming)):
        with file_errors(place):
            there = existing_folder(place)
            device, block = os.stat(there).st_dev, os.statvfs(there).f_frsize
        sizes = [-(-entry.size // block) * block for entry in entries]
        _, size, count = need.get(device, (place, _SPARE_BYTES, _SPARE_FILES))
        need[device] = (place, size + sum(sizes), count + len(sizes))
    for place, size, count in need.values():
        room = os.statvfs(existing_folder(place))
        full = room.f_files and room.f_favail < count
        if full or room.f_bavail * room.f_frsize < size:
            raise disk_full(place, need=size)
