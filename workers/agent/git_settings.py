"""Decides which files of a `.git` folder a snapshot contains: hooks, settings, and references to
other repositories.

With these, an agent could make Git run a program or read another repository the next time anybody
uses it. Objects, branches and the index are not included, since they cannot do that.
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
"""The suffix of the example hooks that Git puts into each new repository and never runs."""


def is_in_snapshot(path: str, *, folder: bool) -> bool:
    """Return whether a snapshot contains a path; with `folder`, whether it may contain anything in
    that folder.
    """
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
    depth. The first component is always the name of a module or work tree, even if it is `logs`.
    """
    for at, name in enumerate(inner):
        if (at and name in _LARGE) or name in _FOLDERS or (name in _FILES and at == len(inner) - 1):
            return _in_repository(inner[at:], folder=folder)
    return folder


def settings_in(paths: Iterable[str]) -> list[str]:
    """Return the paths that are a `.git` or in one."""
    return [path for path in paths if _GIT in path.split("/")]


def repositories_in(folders: Iterable[str]) -> list[str]:
    """Return the folders that are named `.git`."""
    return [path for path in folders if path.rpartition("/")[2] == _GIT]
