"""Content kept by its SHA-256: what releases brought, and what they replaced."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.files.durable import sync_filesystem
from workers.files.failures import changed_meanwhile, damaged, file_errors, sync_failed
from workers.files.manifest import PERMISSIONS, Entry, Manifest, entries
from workers.files.records import add_record, read_records

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
_HINT = "Mend or remove the line that is not JSON: what it names is then swept."
_log = structlog.get_logger(__name__)


class ContentStore:
    """A store in which a content with a mode is one file, written whole or not at all.

    The mode is part of the name, so that a build's tree can be made of hard links.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._handmade = f"{folder}/handmade.jsonl"
        self._made: set[str] = set()

    @property
    def folder(self) -> str:
        """Where the store is."""
        return self._folder

    def holds(self, entry: Entry) -> bool:
        """Whether the content is there, in its full length."""
        path = self.path_of(entry)
        with file_errors(path):
            try:
                return os.lstat(path).st_size == entry.size
            except FileNotFoundError:
                return False

    def drop_if_damaged(self, entry: Entry) -> None:
        """Reads a content whole; where it is not what it should be, it leaves the store."""
        if entry.kind == "link":
            return
        path = self.path_of(entry)
        with file_errors(path):
            try:
                reader = os.open(path, _READ)
            except FileNotFoundError:
                return
            with os.fdopen(reader, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == entry.digest:
                    return
            _log.warning("stored copy was damaged, and is taken in again", file=path)
            os.unlink(path)

    def put(self, source: str, entry: Entry, folder: int | None = None) -> bool:
        """Takes in the file at `source`, False where it is held already.

        `folder` is the open folder of the source, where no folder on the way may be a link.
        It must still hold what `entry` says. Raises `sync_failed` where it does not, `disk_full`
        where there is no room.
        """
        if entry.kind == "link" or self.holds(entry):
            return False
        path = self.path_of(entry)
        self._make_folder(os.path.dirname(path))
        with file_errors(source):
            name = source if folder is None else os.path.basename(source)
            reader = os.open(name, _READ, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(reader).st_mode):
                raise changed_meanwhile(source)
            with file_errors(path):
                self._take(reader, path, entry, source)
        finally:
            os.close(reader)
        return True

    def _take(self, reader: int, path: str, entry: Entry, source: str) -> None:
        beside = f"{path}.{os.getpid()}.new"
        writer = os.open(beside, _NEW | os.O_TRUNC, 0o600)
        try:
            try:
                digest = _copy(reader, writer)
                os.fchmod(writer, entry.mode & PERMISSIONS | stat.S_IRUSR)
            finally:
                os.close(writer)
            if digest != entry.digest:
                raise changed_meanwhile(source)
            os.rename(beside, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            raise

    def write(self, entry: Entry, target: str, folder: int, *, restores: str = "") -> int:
        """Writes the content to the new file `target` in the open `folder`, checking it.

        Returns the open file. A content that turns out damaged leaves the store, so that the
        next deploy brings it again; unless it is the only one there is of the file that it
        `restores`: then a person may still have a use for it.
        """
        path = self.path_of(entry)
        try:
            reader = os.open(path, _READ)
        except FileNotFoundError:
            raise _unusable(path, "is missing", restores) from None
        try:
            writer = os.open(target, _NEW | os.O_EXCL, 0o600, dir_fd=folder)
            try:
                if _copy(reader, writer) != entry.digest:
                    if restores:
                        raise _unusable(path, "is damaged", restores)
                    os.unlink(path)
                    raise _unusable(path, "was damaged and is dropped", restores)
            except BaseException:
                os.close(writer)
                raise
        finally:
            os.close(reader)
        return writer

    def discard(self, taken: Iterable[Entry]) -> None:
        """Gives up what was just put, and nothing else names."""
        for entry in taken:
            with contextlib.suppress(OSError):  # what has gone wrong counts; a sweep takes the rest
                os.unlink(self.path_of(entry))

    def keep(self, job: str, handmade: Mapping[str, Entry]) -> None:
        """Notes contents that no release brought and that `job` replaces; no sweep takes them."""
        if not handmade:
            return
        self._make_folder(self._folder)
        add_record(Path(self._handmade), {"job": job, "files": handmade})

    def link_tree(self, manifest: Manifest, target: Path) -> None:
        """Makes `target` a tree of hard links to the stored content: what a build reads."""
        made: set[str] = set()
        root = str(target)
        for path, entry in manifest.items():
            place = f"{root}/{path}"
            folder = os.path.dirname(place)
            with file_errors(place):
                if folder not in made:
                    os.makedirs(folder, exist_ok=True)
                    made.add(folder)
                if entry.kind == "link":
                    os.symlink(entry.digest, place)
                else:
                    self._link(entry, place)

    def _link(self, entry: Entry, place: str) -> None:
        try:
            os.link(self.path_of(entry), place)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            shutil.copy2(self.path_of(entry), place)  # so many empty files have one content

    def sync(self) -> None:
        """Brings everything that was written to the disk."""
        if os.path.isdir(self._folder):
            sync_filesystem(self._folder)

    def sweep(self, keep: Iterable[Manifest]) -> None:
        """Drops what no manifest of `keep` names, and what a killed writer left. Nothing at all
        where it cannot be read what a person's files were.
        """
        try:
            handmade = self.handmade()
        except ScarError as error:
            _log.warning("store not swept", reason=error.message)
            return
        wanted = {self.path_of(entry) for manifest in keep for entry in manifest.values()}
        wanted.update(self.path_of(e) for _, files in handmade for e in files.values())
        wanted.add(self._handmade)
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(folder, name)
                if path not in wanted:
                    with file_errors(path):
                        os.unlink(path)

    def handmade(self) -> list[tuple[str, dict[str, Entry]]]:
        """The contents that no release brought, by the job that replaced them, oldest first.

        `sync_failed` where a note of them cannot be read.
        """
        notes = [note or {} for note in read_records(Path(self._handmade))]
        try:
            return [
                (note["job"], {path: e for path, e in entries(note["files"]).items() if e})
                for note in notes
            ]
        except (LookupError, TypeError, AttributeError) as error:
            raise damaged(self._handmade, _HINT) from error

    def path_of(self, entry: Entry) -> str:
        """Where a content is, if it is held."""
        mode = entry.mode & PERMISSIONS
        return f"{self._folder}/{entry.digest[:2]}/{entry.digest}.{mode:o}"

    def _make_folder(self, folder: str) -> None:
        if folder not in self._made:
            with file_errors(folder):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            self._made.add(folder)


def _unusable(path: str, what: str, restores: str) -> ScarError:
    if restores:
        return sync_failed(
            restores,
            f"cannot be brought back: its stored copy {path} {what}",
            "Put that file in place yourself, as it was, then deploy again.",
        )
    return ScarError(
        "sync_failed",
        f"The stored copy {path} {what}",
        "Deploy again; if it comes back, the disk of SCAR_STATE_DIR is failing.",
    )


def _copy(reader: int, writer: int) -> str:
    """Copies a regular file whole; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    while True:
        chunk = os.read(reader, _CHUNK)
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]
        if len(chunk) < _CHUNK:
            return digest.hexdigest()
