"""Tells what of a `.git` is in a snapshot: hooks, settings, and where the repository is.

They are what makes Git run a program or read another repository the next time that anybody uses it.
Objects, branches and the index are not among them: a commit takes nothing over.
"""

from __future__ import annotations

from collections.abc import Iterable

_GIT = ".git"
_FOLDERS = frozenset({"hooks", "info", "remotes"})
_FILES = frozenset({"config", "config.worktree", "commondir", "gitdir"})
_ALTERNATES = "objects/info/alternates"
_NESTED = frozenset({"modules", "worktrees"})
_LARGE = frozenset({"annex", "lfs", "logs", "objects", "refs"})
_GENERATED = "info/refs"
_SAMPLE = ".sample"
"""Git puts examples of hooks into each repository that it makes; it runs none of them."""


def is_in_snapshot(path: str, *, folder: bool) -> bool:
    """Return whether a path is in a snapshot, a folder with what it has in it."""
    names = path.split("/")
    if _GIT not in names:
        return True
    inner = names[names.index(_GIT) + 1 :]
    if not inner:
        return True
    if inner[0] in _NESTED:
        return _in_nested(inner[1:], folder=folder)
    return _in_repository(inner, folder=folder)


def _in_repository(inner: list[str], *, folder: bool) -> bool:
    """Return whether a path of a repository, relative to its `.git`, is in a snapshot."""
    place = "/".join(inner)
    if inner[0] in _FOLDERS:
        return folder or not (place.endswith(_SAMPLE) or place == _GENERATED)
    return (folder and f"{_ALTERNATES}/".startswith(f"{place}/")) or place in (*_FILES, _ALTERNATES)


def _in_nested(inner: list[str], *, folder: bool) -> bool:
    """Return the same for a path below `modules` or `worktrees`, where repositories are at any
    depth. The first name is that of a module or a work tree, even where it reads `logs`.
    """
    for at, name in enumerate(inner):
        if (at and name in _LARGE) or name in _FOLDERS or (name in _FILES and at == len(inner) - 1):
            return _in_repository(inner[at:], folder=folder)
    return folder


def settings_in(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that are in a `.git`, or are one."""
    return [path for path in paths if _GIT in path.split("/")]


def repositories_in(folders: Iterable[str]) -> list[str]:
    """Return those of the folders that are a `.git`."""
    return [path for path in folders if path.rpartition("/")[2] == _GIT]
