"""Rules for the folders that a project may use."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

_SYSTEM_TREES = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run"),
    *("/sbin", "/sys", "/usr", "/var/lib/containerd", "/var/lib/docker", "/var/run"),
)
"""System folders; no production folder is one of them or below one."""

_SHARED_FOLDERS = (
    *("/home", "/lost+found", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var", "/var/backups"),
    *("/var/cache", "/var/lib", "/var/local", "/var/lock", "/var/log", "/var/mail", "/var/opt"),
    *("/var/spool", "/var/tmp"),
)
"""Shared folders; none is a production folder itself, while a folder in it may be."""


def absolute(value: str) -> Path:
    """Return the absolute path in `value`, without slashes at its end.

    Raises `ValueError` if the path is relative or contains `..`.
    """
    if not value.startswith("/"):
        raise ValueError("is not an absolute path")
    if ".." in value.split("/"):
        raise ValueError("holds '..'; write the folder itself")
    return Path("/" + value.strip("/"))


def resolved(folder: Path) -> Path:
    """Return `folder` with symbolic links resolved, as far as it exists."""
    return Path(os.path.realpath(folder))


def inside(folder: Path, other: Path) -> bool:
    """Return whether `folder` is `other` or below it, with links resolved or unresolved."""
    return folder.is_relative_to(other) or resolved(folder).is_relative_to(resolved(other))


def writable_place(path: Path, uid: int, gid: int) -> Path | None:
    """Return the file `path`, or the first folder above it, that a user owns or may write to.

    Judged by modes, with `gid` for the only group. In a sticky folder (/tmp) nobody can replace
    what belongs to somebody else.
    """
    replaceable = True
    for place in (path, *path.parents):
        try:
            status = place.lstat()
        except OSError:
            replaceable = True
            continue
        bits = stat.S_IWGRP if status.st_gid == gid else stat.S_IWOTH
        sticky = bool(status.st_mode & stat.S_ISVTX) and not replaceable
        link = stat.S_ISLNK(status.st_mode)
        if status.st_uid == uid or (not link and not sticky and status.st_mode & bits):
            return place
        replaceable = False
    return None


def not_for_production(folder: Path) -> str | None:
    """Return why `folder` must not be a production folder, such as a system folder; None if it
    may be one.
    """
    for place in (folder, resolved(folder)):
        seen = f"is {place}, which is" if place != folder else "is"
        if place == Path("/"):
            return f"{seen} the root of the file system"
        if place.parent == Path("/home") or place in _homes():
            return f"{seen} a home folder; use a folder in it"
        if str(place) in _SHARED_FOLDERS:
            return f"{seen} a system folder"
        for tree in _SYSTEM_TREES:
            if place.is_relative_to(tree):
                return f"{seen} in the system folder {tree}"
    return None


def _homes() -> set[Path]:
    homes = {Path(user.pw_dir) for user in pwd.getpwall() if user.pw_dir.startswith("/")}
    return homes | {Path("/root")}
