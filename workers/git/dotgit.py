"""Writes to a workspace's `.git`: never through a symbolic link, and with the owner of `.git`."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from scar.errors import ScarError
from workers.files.failures import file_errors

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MARK = b"SCAR is at work here\n"
_LOCK_SECONDS = 5.0
_REF_LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.1


class DotGit:
    """The `.git` folder of a workspace. Methods raise `ScarError`."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / ".git"

    @contextmanager
    def index_locked(
        self, check: Callable[[], None], pause: Callable[[float], None] = time.sleep
    ) -> Iterator[None]:
        """Hold `index.lock` like Git, so that no other Git command changes the workspace meanwhile.

        Raises `conflict` if another Git command holds it for 5 s. A lock file with SCAR's mark is
        from a killed job and is deleted, since the caller holds the lock of the workspace.
        """
        with self._folder() as folder:
            waited = 0.0
            while not _take_index_lock(folder):
                check()
                if waited >= _LOCK_SECONDS:
                    raise ScarError(
                        "conflict",
                        f"Another Git is at work in {self.path.parent}: index.lock is there",
                        "Let it end, then try again; if none runs, remove .git/index.lock.",
                    )
                pause(_POLL_SECONDS)
                waited += _POLL_SECONDS
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink("index.lock", dir_fd=folder)

    def add_pack(self, pack: Path) -> None:
        """Copy a pack and then its index, from which moment Git uses the pack."""
        with self._folder("objects", "pack") as folder:
            for source in (pack, pack.with_suffix(".idx")):
                self._replace(source, source.name, folder)

    def replace_index(self, index: Path) -> None:
        """Replace `.git/index` by a copy of the file `index`."""
        with self._folder() as folder:
            self._replace(index, "index", folder)

    def require_plain(self, *refs: str) -> None:
        """Raise `conflict` if Git would write one of `refs`, or its reflog, outside this `.git`."""
        for name in ("commondir", "HEAD", "logs/HEAD", *refs, *(f"logs/{ref}" for ref in refs)):
            paths = [PurePath(name), *PurePath(name).parents]
            link = next((path for path in paths if (self.path / path).is_symlink()), None)
            if link is not None or (name == "commondir" and (self.path / name).exists()):
                raise ScarError(
                    "conflict",
                    f"The workspace {self.path.parent} was left as it is: .git/{link or name} has "
                    "its repository elsewhere",
                    "Use a plain clone, or update it yourself, then deploy.",
                )

    def drop_ref_locks(self, ref: str, pause: Callable[[float], None] = time.sleep) -> None:
        """Delete the lock files of HEAD and `ref` that a killed `git update-ref` left: those
        that still exist after 2 s.
        """
        for name in ("HEAD.lock", f"{ref}.lock"):
            path = self.path / name
            waited = 0.0
            with file_errors(str(path)):
                while path.exists():
                    if waited >= _REF_LOCK_SECONDS:
                        path.unlink(missing_ok=True)
                    pause(_POLL_SECONDS)
                    waited += _POLL_SECONDS

    def give_to_owner(self) -> None:
        """Change the owner of files that root has written in `.git` to the owner of `.git`."""
        if os.geteuid() != 0:
            return
        with file_errors(str(self.path)):
            owner = self.path.lstat()
            if owner.st_uid == 0:
                return
            for _, folders, files, handle in os.fwalk(self.path, follow_symlinks=False):
                for name in (*folders, *files):
                    _give(name, handle, owner)

    @contextmanager
    def _folder(self, *names: str) -> Iterator[int]:
        """Open a folder below `.git`, without following a symbolic link in any component of its
        path.
        """
        handles: list[int] = []
        try:
            with file_errors(str(self.path.joinpath(*names))):
                handles.append(os.open(self.path, _FOLDER))
                for name in names:
                    handles.append(os.open(name, _FOLDER, dir_fd=handles[-1]))
            yield handles[-1]
        finally:
            for handle in handles:
                os.close(handle)

    def _replace(self, source: Path, name: str, folder: int) -> None:
        """Replace the file `name` by a copy of `source`, atomically and synced."""
        copy = f"{name}.scar-new"
        with file_errors(str(self.path / name)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy, dir_fd=folder)
            try:
                _copy_synced(source, copy, folder)
                os.rename(copy, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(copy, dir_fd=folder)
                raise


def _copy_synced(source: Path, name: str, folder: int) -> None:
    mode = stat.S_IMODE(source.stat().st_mode)
    with (
        source.open("rb") as reader,
        os.fdopen(os.open(name, _NEW, mode, dir_fd=folder), "wb") as writer,
    ):
        shutil.copyfileobj(reader, writer)
        os.fchmod(writer.fileno(), mode)  # independent of the umask
        writer.flush()
        os.fsync(writer.fileno())
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)


def _give(name: str, folder: int, owner: os.stat_result) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid == 0:
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)


def _take_index_lock(folder: int) -> bool:
    """Create `index.lock` with SCAR's mark; if one with the mark exists, delete it first."""
    with file_errors(".git/index.lock"):
        try:
            handle = os.open("index.lock", _NEW, 0o644, dir_fd=folder)
        except FileExistsError:
            _drop_left_lock(folder)
            return False
        try:
            os.write(handle, _MARK)
        finally:
            os.close(handle)
        return True


def _drop_left_lock(folder: int) -> None:
    """Delete an `index.lock` that has SCAR's mark.

    A lock file without the mark stays, even an empty one that a job may have left when it was
    killed before writing the mark: Git's own lock file is empty at first too.
    """
    with contextlib.suppress(FileNotFoundError):
        handle = os.open("index.lock", _READ, dir_fd=folder)
        try:
            marked = os.read(handle, len(_MARK)) == _MARK
        finally:
            os.close(handle)
        if marked:
            os.unlink("index.lock", dir_fd=folder)
