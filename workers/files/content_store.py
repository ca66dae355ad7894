"""A content-addressed store: the contents of files that releases brought or replaced, by
SHA-256.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.files.durable import make_folders, sync_filesystem
from workers.files.failures import changed_meanwhile, damaged, file_errors, sync_failed
from workers.files.manifest import PERMISSIONS, Entry, Manifest, entries
from workers.files.records import add_record, read_records
from workers.files.tree import Tree

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_HINT = "Mend or remove the line that is not JSON: what it names is then swept."
_log = structlog.get_logger(__name__)


class ContentStore:
    """Contents as files that are named by SHA-256 and mode, each written atomically.

    The mode is part of the name, so that a build context can consist of hard links to these files.
    Methods raise `sync_failed`, and `disk_full` if they write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._handmade = f"{folder}/handmade.jsonl"
        self._made: set[str] = set()

    @property
    def folder(self) -> str:
        """The path of the store's folder."""
        return self._folder

    def holds(self, entry: Entry) -> bool:
        """Return whether the store has the content, in its full length."""
        path = self.path_of(entry)
        with file_errors(path):
            try:
                return os.lstat(path).st_size == entry.size
            except FileNotFoundError:
                return False

    def drop_if_damaged(self, entry: Entry) -> None:
        """Read a content completely, and delete it if its digest is wrong."""
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

    def take_in(
        self,
        root: str,
        files: Mapping[str, Entry],
        check: Callable[[], None],
        taken: list[Entry] | None = None,
    ) -> None:
        """Copy those of `files` that the store lacks from the tree at `root`, following no links.
        Contents that the store has are not looked for in the tree, since files of an earlier
        release may be only in the store. `taken` receives each copied entry.
        """
        lacking = {p: e for p, e in files.items() if e.kind == "file" and not self.holds(e)}
        if not lacking:
            return
        with file_errors(root):
            tree = Tree(root)
        with tree:
            for path, entry in lacking.items():
                check()
                with file_errors(tree.absolute(path)):
                    folder, _ = tree.split(path)
                if self.put(tree.absolute(path), entry, folder) and taken is not None:
                    taken.append(entry)

    def put(self, source: str, entry: Entry, folder: int | None = None) -> bool:
        """Copy the file at `source` into the store; return False if the store already has it.

        `folder` is the open folder of the source; it is passed if no folder in the path may be a
        link. Raises `sync_failed` if the file no longer matches `entry`.
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
                self._copy_in(reader, path, entry, source)
        finally:
            os.close(reader)
        return True

    def _copy_in(self, reader: int, path: str, entry: Entry, source: str) -> None:
        temporary = f"{path}.{os.getpid()}.new"
        writer = os.open(temporary, _NEW | os.O_TRUNC, 0o600)
        try:
            try:
                digest = _copy(reader, writer)
                os.fchmod(writer, entry.mode & PERMISSIONS | stat.S_IRUSR)
            finally:
                os.close(writer)
            if digest != entry.digest:
                raise changed_meanwhile(source)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def write(self, entry: Entry, target: str, folder: int, *, restores: str = "") -> int:
        """Copy a content to the new file `target` in the open `folder`; return the open file.

        A damaged content is deleted, so that the next deploy stores it again; except if it is the
        only copy of the file that it `restores`, which a person may still be able to repair.
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
        """Delete contents that were just stored and that no release refers to."""
        for entry in taken:
            # The caller raises the first error; a sweep deletes what remains.
            with contextlib.suppress(OSError):
                os.unlink(self.path_of(entry))

    def keep(self, job: str, handmade: Mapping[str, Entry]) -> None:
        """Record that `job` replaced these contents, which no release brought, so that no sweep
        deletes them.
        """
        if not handmade:
            return
        self._make_folder(self._folder)
        add_record(Path(self._handmade), {"job": job, "files": handmade})

    def link_tree(self, manifest: Manifest, target: Path) -> None:
        """Create `target` as a tree of hard links to the stored contents, to be used as a build
        context.
        """
        made: set[str] = set()
        root = str(target)
        for path, entry in manifest.items():
            place = f"{root}/{path}"
            folder = os.path.dirname(place)
            with file_errors(place):
                if folder not in made:
                    make_folders(Path(folder))
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
            shutil.copy2(
                self.path_of(entry), place
            )  # such as too many links to one file, which an empty file may have

    def sync(self) -> None:
        """Sync everything written to the store to the disk."""
        if os.path.isdir(self._folder):
            sync_filesystem(self._folder)

    def sweep(self, keep: Iterable[Manifest]) -> None:
        """Delete contents that no manifest in `keep` names, and temporary files of killed
        processes.

        Deletes nothing if the records of handmade contents cannot be read.
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
        """Return the contents that no release brought, by the job that replaced them, oldest first.

        Raises `sync_failed` if a record of them cannot be read.
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
        """Return the path at which the store has, or would have, the content."""
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
    """Copy a regular file completely; return the SHA-256 of the copied bytes."""
    digest = hashlib.sha256()
    while True:
        chunk = os.read(reader, _CHUNK)
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]
        if len(chunk) < _CHUNK:
            return digest.hexdigest()
