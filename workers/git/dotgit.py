"""Writes into a workspace's `.git`, never through a symbolic link, and owned as that is."""

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
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MARK = b"SCAR is at work here\n"
_SECONDS = 5.0


class DotGit:
    """The `.git` of a workspace. Methods raise `ScarError`."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / ".git"

    @contextmanager
    def index_locked(
        self, check: Callable[[], None], pause: Callable[[float], None] = time.sleep
    ) -> Iterator[None]:
        """Holds the index as Git does, so that nobody's Git works in the workspace meanwhile.

        A lock that bears SCAR's mark is left over from a job that was killed: whoever calls this
        has the workspace for himself.
        """
        with self._folder() as folder:
            waited = 0.0
            while not _taken(folder):
                check()
                if waited >= _SECONDS:
                    raise ScarError(
                        "conflict",
                        f"Another Git is at work in {self.path.parent}: index.lock is there",
                        "Let it end, then try again; if none runs, remove .git/index.lock.",
                    )
                pause(0.1)
                waited += 0.1
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink("index.lock", dir_fd=folder)

    def add_pack(self, pack: Path) -> None:
        """Takes a pack in with its index, which comes last: the pack counts from then on."""
        with self._folder("objects", "pack") as folder:
            for source in (pack, pack.with_suffix(".idx")):
                self._put(source, source.name, folder)

    def replace_index(self, index: Path) -> None:
        """Puts a new index in place."""
        with self._folder() as folder:
            self._put(index, "index", folder)

    def require_plain(self, *refs: str) -> None:
        """Raises `conflict` where Git would move one of `refs`, or write its log, elsewhere."""
        for name in ("commondir", "HEAD", "logs/HEAD", *refs, *(f"logs/{ref}" for ref in refs)):
            places = [PurePath(name), *PurePath(name).parents]
            odd = next((p for p in places if (self.path / p).is_symlink()), None)
            if odd is not None or (name == "commondir" and (self.path / name).exists()):
                raise ScarError(
                    "conflict",
                    f"The workspace {self.path.parent} was left as it is: .git/{odd or name} has "
                    "its repository elsewhere",
                    "Use a plain clone, or update it yourself, then deploy.",
                )

    def drop_ref_locks(self, ref: str, pause: Callable[[float], None] = time.sleep) -> None:
        """Removes what a killed `git update-ref` left; one that lives is done within seconds."""
        for name in ("HEAD.lock", f"{ref}.lock"):
            path = self.path / name
            with contextlib.suppress(FileNotFoundError), file_errors(str(path)):
                for _ in range(20):
                    if not path.exists():
                        break
                    pause(0.1)
                else:
                    path.unlink()

    def give_to_owner(self) -> None:
        """What root has written in here becomes its owner's."""
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

    def _put(self, source: Path, name: str, folder: int) -> None:
        beside = f"{name}.scar-new"
        with file_errors(str(self.path / name)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=folder)
            try:
                mode = stat.S_IMODE(source.stat().st_mode)
                with (
                    source.open("rb") as reader,
                    os.fdopen(os.open(beside, _NEW, mode, dir_fd=folder), "wb") as writer,
                ):
                    shutil.copyfileobj(reader, writer)
                    writer.flush()
                    os.fsync(writer.fileno())
                if os.geteuid() == 0:
                    os.chown(beside, *_owner(folder), dir_fd=folder, follow_symlinks=False)
                os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(beside, dir_fd=folder)
                raise


def _owner(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_uid, found.st_gid


def _give(name: str, folder: int, owner: os.stat_result) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid == 0:
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)


def _taken(folder: int) -> bool:
    """Whether the lock is this process's now; one with SCAR's mark is removed."""
    with file_errors(".git/index.lock"):
        try:
            handle = os.open("index.lock", _NEW, 0o644, dir_fd=folder)
        except FileExistsError:
            _drop_own(folder)
            return False
        try:
            os.write(handle, _MARK)
        finally:
            os.close(handle)
        return True


def _drop_own(folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        handle = os.open("index.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            # Killed before the mark was written, it is empty; Git's own is for moments only.
            own = os.read(handle, len(_MARK)) == _MARK
        finally:
            os.close(handle)
        if own:
            os.unlink("index.lock", dir_fd=folder)
