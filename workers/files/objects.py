"""Content kept by its SHA-256: what releases brought, and what they replaced."""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from scar.errors import ScarError
from workers.files.failures import changed_meanwhile, file_errors
from workers.files.manifest import Entry, Manifest

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_libc = ctypes.CDLL(None, use_errno=True)


class Objects:
    """A store in which a content with a mode is one file, written whole or not at all.

    The mode is part of the name, so that a build's tree can be made of hard links.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._made: set[str] = set()

    def holds(self, entry: Entry) -> bool:
        """Whether the content is there."""
        return os.path.exists(self._path(entry))

    def put(self, source: str, entry: Entry) -> None:
        """Takes in the file at `source`, which must still hold what `entry` says.

        Raises `sync_failed` where it does not, `disk_full` where there is no room.
        """
        if entry.kind == "link" or self.holds(entry):
            return
        path = self._path(entry)
        self._make_folder(os.path.dirname(path))
        beside = f"{path}.{os.getpid()}.new"
        with file_errors(source):
            reader = os.open(source, _READ)
        try:
            with file_errors(path):
                writer = os.open(
                    beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
                )
                try:
                    digest = _copy(reader, writer)
                    os.fchmod(writer, entry.mode | stat.S_IRUSR)
                finally:
                    os.close(writer)
                if digest != entry.digest:
                    os.unlink(beside)
                    raise changed_meanwhile(source)
                os.rename(beside, path)
        finally:
            os.close(reader)

    def write(self, entry: Entry, target: str, folder: int) -> None:
        """Writes the content to the new file `target` in the open `folder`, checking it."""
        reader = os.open(self._path(entry), _READ)
        try:
            writer = os.open(
                target,
                os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
                dir_fd=folder,
            )
            try:
                digest = _copy(reader, writer)
            finally:
                os.close(writer)
        finally:
            os.close(reader)
        if digest != entry.digest:
            raise ScarError(
                "sync_failed",
                f"The stored copy {entry.digest[:12]} is damaged",
                "The disk of SCAR_STATE_DIR may be failing; deploy from the workspace again.",
            )

    def link_tree(self, manifest: Manifest, target: Path) -> None:
        """Makes `target` a tree of hard links to the stored content: what a build reads."""
        made: set[str] = set()
        root = str(target)
        for path, entry in manifest.items():
            place = f"{root}/{path}"
            folder = os.path.dirname(place)
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            if entry.kind == "link":
                os.symlink(entry.digest, place)
            else:
                os.link(self._path(entry), place)

    def sync(self) -> None:
        """Brings everything that was written to the disk."""
        if os.path.isdir(self._folder):
            sync_filesystem(self._folder)

    def sweep(self, keep: Iterable[Manifest]) -> None:
        """Drops what no manifest of `keep` names, and what a killed writer left."""
        wanted = {self._path(entry) for manifest in keep for entry in manifest.values()}
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(folder, name)
                if path not in wanted:
                    os.unlink(path)

    def _path(self, entry: Entry) -> str:
        return f"{self._folder}/{entry.digest[:2]}/{entry.digest}.{entry.mode:o}"

    def _make_folder(self, folder: str) -> None:
        if folder not in self._made:
            with file_errors(folder):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            self._made.add(folder)


def _copy(reader: int, writer: int) -> str:
    digest = hashlib.sha256()
    while chunk := os.read(reader, _CHUNK):
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]
    return digest.hexdigest()


def sync_filesystem(path: str) -> None:
    """`syncfs(2)` of the filesystem that `path` is on: one call for a whole batch of files."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(handle) != 0:
            number = ctypes.get_errno()
            with file_errors(path):
                raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
