"""Which folders a project may use."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_TREES = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run"),
    *("/sbin", "/sys", "/usr", "/var/lib/containerd", "/var/lib/docker", "/var/run"),
)
"""Folders in which nothing is a project's."""

_ITSELF = (
    *("/home", "/lost+found", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var", "/var/backups"),
    *("/var/cache", "/var/lib", "/var/local", "/var/lock", "/var/log", "/var/mail", "/var/opt"),
    *("/var/spool", "/var/tmp"),
)
"""Folders that are not a project's themselves, while a folder in them may be."""


def absolute(value: str) -> Path:
    """The folder that `value` names; a ValueError says what is wrong with it.

    It has to be absolute and without `..`. A slash at the end or twice is left out.
    """
    if not value.startswith("/"):
        raise ValueError("is not an absolute path")
    if ".." in value.split("/"):
        raise ValueError("holds '..'; write the folder itself")
    return Path("/" + value.strip("/"))


def resolved(folder: Path) -> Path:
    """Where `folder` is once symbolic links are followed, as far as they can be."""
    return Path(os.path.realpath(folder))


def inside(folder: Path, other: Path) -> bool:
    """Whether `folder` is `other` or below it, as written or with symbolic links followed."""
    return folder.is_relative_to(other) or resolved(folder).is_relative_to(resolved(other))


def not_for_production(folder: Path) -> str | None:
    """Why `folder` must not be a production folder, or None."""
    for place in (folder, resolved(folder)):
        seen = f"is {place}, which is" if place != folder else "is"
        if place == Path("/"):
            return f"{seen} the root of the file system"
        if place.parent == Path("/home") or place in _homes():
            return f"{seen} a home folder; use a folder in it"
        if str(place) in _ITSELF:
            return f"{seen} a system folder"
        for tree in _TREES:
            if place.is_relative_to(tree):
                return f"{seen} in the system folder {tree}"
    return None


def _homes() -> set[Path]:
    homes = {Path(user.pw_dir) for user in pwd.getpwall() if user.pw_dir.startswith("/")}
    return homes | {Path("/root")}
