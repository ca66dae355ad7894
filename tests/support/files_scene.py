"""Trees of files as tests write, deploy and compare them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from workers.files.apply import apply, revert, stage
from workers.files.compare import Changes, compare
from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.scan import scan
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

OLD = 1_600_000_000_000_000_000
Seen = dict[str, tuple[str, int, bytes, int, int, int]]


def write(root: Path, files: Mapping[str, str | bytes | None], *, mode: int = 0o644) -> None:
    """Create files; a text `-> target` creates a link, None an empty folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        elif isinstance(content, str) and content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(mode)
            os.utime(path, ns=(OLD, OLD))


def clear(root: Path) -> None:
    """Delete everything in a folder."""
    for item in list(root.iterdir()) if root.exists() else []:
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def seen(root: Path) -> Seen:
    """Return every path of a tree with its kind, mode, content or target, owner, group, and a
    file's time.
    """
    entries: Seen = {}
    if not root.exists():
        return entries
    for folder, folders, names in os.walk(os.fsencode(root)):
        for name in [*folders, *names]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            kind, content, time = "folder", b"", 0
            if stat.S_ISLNK(status.st_mode):
                kind, content = "link", os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                kind, content, time = "file", _read(path), status.st_mtime_ns
            elif not stat.S_ISDIR(status.st_mode):
                kind = "other"
            where = os.fsdecode(os.path.relpath(path, os.fsencode(root)))
            mode = stat.S_IMODE(status.st_mode)
            entries[where] = (kind, mode, content, status.st_uid, status.st_gid, time)
    return entries


def contents(root: Path) -> dict[str, bytes]:
    """Return the contents of files and the targets of links, without folders, owners and times."""
    return {path: about[2] for path, about in seen(root).items() if about[0] in ("file", "link")}


def _read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class FilesScene:
    """A workspace, its production, and SCAR's state of them."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.production = folder / "workspace", folder / "production"
        self.state = folder / "state"
        self.workspace.mkdir(parents=True)
        self.production.mkdir()
        self.objects = ContentStore(self.state / "objects")
        self.undo_path = self.state / "undo.json"
        self.last: dict[str, Entry] | None = None
        self.index = StatCache()
        self._workspace_index = StatCache()
        self._jobs = 0

    def scan(self) -> dict[str, Entry]:
        return scan(str(self.workspace), (), self._workspace_index).entries

    def plan(self) -> tuple[dict[str, Entry], Changes]:
        tree = self.scan()
        return tree, compare(tree, str(self.production), self.last, self.index)

    def prepare(self) -> tuple[dict[str, Entry], Changes, Undo]:
        """Plan a deploy, and do everything that precedes changes of production."""
        tree, changes = self.plan()
        self._jobs += 1
        undo = Undo.of(f"job{self._jobs}", str(self.production), changes)
        stage(str(self.workspace), undo.root, undo, self.objects, go_on)
        undo.save(self.undo_path)
        loaded = Undo.load(self.undo_path)
        assert loaded == undo
        return tree, changes, loaded

    def apply(self, undo: Undo) -> None:
        apply(undo, self.objects, self.index, untold, go_on)

    def revert(self, undo: Undo) -> list[str]:
        return revert(undo, self.objects, StatCache())

    def deploy(self) -> Changes:
        tree, changes, undo = self.prepare()
        self.apply(undo)
        left = set(changes.left_alone)
        self.last = {path: entry for path, entry in tree.items() if path not in left}
        return changes

    def objects_of(self, content: bytes) -> list[Path]:
        """Return the files of the store with a content."""
        files = [p for p in (self.state / "objects").rglob("*") if p.is_file()]
        return [path for path in files if path.read_bytes() == content]

    def stored(self) -> set[bytes]:
        """Return every content in the store."""
        return set(contents(self.state / "objects").values())


def go_on() -> None:
    """Never cancel."""


def untold(_done: int, _total: int) -> None:
    """Ignore progress."""
