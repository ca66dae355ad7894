"""Computes what changed in a workspace since a snapshot: as an undo record, without conflicts,
and as lists of paths.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from workers.agent.git_settings import repositories_in
from workers.agent.snapshot import Contents
from workers.files.manifest import Entry
from workers.files.tree import above
from workers.files.undo import Undo


@dataclass(frozen=True)
class ChangedPaths:
    """Paths relative to the workspace, sorted. Folders end in `/`."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def undo_since(snapshot: Undo, left_out: frozenset[str], now: Contents) -> Undo:
    """Return the undo record that reverts the differences between the snapshot and `now`.

    Paths that the snapshot (`left_out`) or `now` could not read are not included, since their
    content is unknown; neither are hooks and settings of a `.git` folder that is gone, since they
    alone make no repository.
    """
    gone = [f for f in repositories_in(snapshot.folders) if f not in now.folders]
    unknown = left_out | (now.left_out - now.special)
    before: dict[str, Entry | None] = {}
    after: dict[str, Entry | None] = {}
    for path in sorted(snapshot.before.keys() | now.files.keys()):
        old, new = snapshot.before.get(path), now.files.get(path)
        if path not in unknown and not _is_below(path, gone) and not _same_content(old, new):
            before[path], after[path] = old, new
    folders = {
        path: folder
        for path, folder in snapshot.folders.items()
        if now.folders.get(path) != folder and not (path in gone or _is_below(path, gone))
    }
    return replace(
        snapshot,
        before=before,
        after=after,
        made=tuple(sorted(now.folders.keys() - snapshot.folders.keys())),
        folders=folders,
        attributes={
            path: attributes
            for path, attributes in snapshot.attributes.items()
            if path in before or path in folders
        },
    )


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def without_conflicts(undo: Undo, now: Contents) -> tuple[Undo, list[str]]:
    """Return the part of the undo record that overwrites no other person's changes, and the paths
    in conflict.

    A path is in conflict if it now differs both from its state before the agent's run and from its
    state after it. A path that is already as before the run is in neither result.
    """
    clean: list[str] = []
    conflicts: list[str] = []
    for path, after in undo.after.items():
        before, present = undo.before[path], now.files.get(path)
        if path in now.left_out:
            conflicts.append(path)
        elif not _same_content(present, before):
            (clean if _same_content(present, after) else conflicts).append(path)
    return (
        replace(
            undo,
            before={path: undo.before[path] for path in clean},
            after={path: undo.after[path] for path in clean},
            made=tuple(path for path in undo.made if path in now.folders),
            folders={p: f for p, f in undo.folders.items() if now.folders.get(p) != f},
        ),
        conflicts,
    )


def changed_paths(undo: Undo, now: Contents) -> ChangedPaths:
    """Return the paths that the undo record reverts.

    A folder that was added or removed is listed only if no path below it is.
    """
    parents = _folders_above(undo.after)
    added = [path for path in undo.after if undo.before[path] is None]
    added += [f"{path}/" for path in _innermost(undo.made, parents)]
    changed = [path for path, entry in undo.after.items() if entry and undo.before[path]]
    changed += [f"{path}/" for path in undo.folders if path in now.folders]
    removed = [path for path, entry in undo.after.items() if entry is None]
    removed += [f"{p}/" for p in _innermost(undo.folders, parents) if p not in now.folders]
    return ChangedPaths(tuple(sorted(added)), tuple(sorted(changed)), tuple(sorted(removed)))


def _innermost(folders: Collection[str], parents: set[str]) -> list[str]:
    """Return the folders that are not in `parents` and contain none of the other folders."""
    outer = parents | _folders_above(folders)
    return [folder for folder in folders if folder not in outer]


def _folders_above(paths: Iterable[str]) -> set[str]:
    return {folder for path in paths for folder in above(path)}


def _same_content(one: Entry | None, other: Entry | None) -> bool:
    return one is other if one is None or other is None else one.same_content(other)
