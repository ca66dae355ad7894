"""Puts files in place, each whole: written beside its target, then renamed over it.

Every step finds out for itself what is done already, so that the same call can run after a kill at
any instant, and any number of times. All new content is written and brought to the disk before the
first rename (batched with `syncfs`, as one `fsync` a file would cost more than the copy itself).
No folder on the way to a file is ever a symbolic link: each is opened from its parent with
O_NOFOLLOW.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from workers.files.failures import changed_meanwhile, disk_full, file_errors, sync_failed
from workers.files.index import StatIndex, stamp_of
from workers.files.manifest import Entry, entry_of
from workers.files.objects import Objects, sync_filesystem
from workers.files.scan import hashed
from workers.files.undo import Undo

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPARE_BYTES = 1 << 20

Tell = Callable[[int, int], None]


def stage(
    workspace: str, root: str, undo: Undo, objects: Objects, check: Callable[[], None]
) -> None:
    """Takes into the store what will come and what it replaces. Production is not touched.

    Raises `disk_full` before anything is written where the room cannot do.
    """
    coming = {path: entry for path, entry in undo.after.items() if entry and entry.kind == "file"}
    need = sum(entry.size for entry in coming.values()) + _SPARE_BYTES
    _require_room(root, need, len(coming))
    for path, entry in coming.items():
        check()
        objects.put(f"{workspace}/{path}", entry)
    for path, replaced in undo.before.items():
        if replaced is not None and replaced.kind == "file":
            check()
            objects.put(f"{root}/{path}", replaced)
    objects.sync()


def apply(
    undo: Undo, objects: Objects, index: StatIndex, tell: Tell, check: Callable[[], None]
) -> None:
    """Brings production from `before` to `after`.

    A path that is neither any more was changed by somebody since it was looked at: `sync_failed`,
    and the caller unmakes what was done.
    """
    with file_errors(undo.root):
        os.makedirs(undo.root, exist_ok=True)
    _bring(undo, undo.after, undo.before, objects, index, tell, check)


def revert(undo: Undo, objects: Objects, index: StatIndex) -> list[str]:
    """Brings production back to `before`; the paths that somebody had changed meanwhile.

    What they were changed to is taken into the store first.
    """
    strange: list[str] = []
    if os.path.isdir(undo.root):
        _bring(undo, undo.before, undo.after, objects, index, _quiet, _pass, strange)
        _remove_folders(undo)
    return strange


def _quiet(_done: int, _total: int) -> None:
    """For those who do not watch."""


def _pass() -> None:
    """What is being put back is not called off."""


@dataclass
class _Tree:
    """Opens the folders of production, each once, none of them through a link."""

    root: str
    handles: dict[str, int]

    def folder(self, path: str, *, make: bool = True) -> int:
        handle = self.handles.get(path)
        if handle is None:
            above, _, name = path.rpartition("/")
            parent = self.folder(above, make=make)
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=parent)
            handle = os.open(name, _FOLDER, dir_fd=parent)
            self.handles[path] = handle
        return handle

    def forget(self, path: str) -> None:
        """Closes the folders at and below a path."""
        for known in [k for k in self.handles if k == path or k.startswith(path + "/")]:
            os.close(self.handles.pop(known))


@contextlib.contextmanager
def _tree(root: str) -> Iterator[_Tree]:
    tree = _Tree(root, {"": os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)})
    try:
        yield tree
    finally:
        for handle in tree.handles.values():
            os.close(handle)


def _bring(
    undo: Undo,
    wanted: Mapping[str, Entry | None],
    expected: Mapping[str, Entry | None],
    objects: Objects,
    index: StatIndex,
    tell: Tell,
    check: Callable[[], None],
    strange: list[str] | None = None,
) -> None:
    """Makes every path of `wanted` hold what it says.

    Found in a state that is neither wanted nor expected, a path fails the whole, or goes to
    `strange` where that is given.
    """
    paths = sorted(wanted)
    temporary = {path: f".scar-{undo.job}-{number}" for number, path in enumerate(paths)}
    with _tree(undo.root) as tree:
        _clear_temporaries(tree, temporary)
        todo: list[str] = []
        for path in paths:
            there = _look(tree, path)
            if _is(there, wanted[path]):
                continue
            if not _is(there, expected[path]):
                if strange is None:
                    raise changed_meanwhile(path)
                strange.append(path)
                if there is not None and there.kind == "file":
                    objects.put(f"{undo.root}/{path}", there)
            todo.append(path)
        try:
            _replace(undo, tree, todo, wanted, expected, temporary, objects, tell, check, strange)
        except BaseException:
            _clear_temporaries(tree, temporary)
            raise
        _note(tree, paths, wanted, index)
    sync_filesystem(undo.root)


def _replace(
    undo: Undo,
    tree: _Tree,
    todo: list[str],
    wanted: Mapping[str, Entry | None],
    expected: Mapping[str, Entry | None],
    temporary: Mapping[str, str],
    objects: Objects,
    tell: Tell,
    check: Callable[[], None],
    strange: list[str] | None,
) -> None:
    coming = [path for path in todo if wanted[path] is not None]
    going = [path for path in todo if wanted[path] is None]
    blocked = [path for path in coming if _blocked(tree, path, going)]
    free = [path for path in coming if path not in set(blocked)]
    total = len(todo)
    done = 0
    for path in free:
        check()
        _write_beside(tree, path, wanted[path], expected[path], temporary[path], objects)
        done += 1
        tell(done, total)
    check()
    if free:
        sync_filesystem(undo.root)
    for path in free:
        _still(tree, path, wanted, expected, strange)
        with file_errors(path):
            handle = tree.folder(os.path.dirname(path))
            name = os.path.basename(path)
            os.rename(temporary[path], name, src_dir_fd=handle, dst_dir_fd=handle)
    # Deepest first, so that a folder is empty by the time a file takes its place.
    for path in sorted(going, key=lambda path: -path.count("/")):
        _still(tree, path, wanted, expected, strange)
        _unlink(tree, path)
        done += 1
        tell(done, total)
    _remove_empty(tree, [path for path in going if strange is None])
    for path in blocked:
        _clear_way(tree, path)
        _write_beside(tree, path, wanted[path], expected[path], temporary[path], objects)
        with file_errors(path):
            handle = tree.folder(os.path.dirname(path))
            name = os.path.basename(path)
            os.rename(temporary[path], name, src_dir_fd=handle, dst_dir_fd=handle)
        done += 1
        tell(done, total)


def _look(tree: _Tree, path: str) -> Entry | None:
    """What stands at the path; None for nothing or a folder."""
    folder, _, name = path.rpartition("/")
    try:
        handle = tree.folder(folder, make=False)
        found = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise sync_failed(path, f"cannot be reached: {error.strerror}", _LINKED) from error
    if stat.S_ISLNK(found.st_mode):
        return entry_of(found, os.readlink(name, dir_fd=handle))
    if stat.S_ISREG(found.st_mode):
        return hashed(handle, name, path)[1]
    return None


_LINKED = "A folder on the way to it may be a symbolic link; SCAR never writes through one."


def _is(there: Entry | None, entry: Entry | None) -> bool:
    if entry is None or there is None:
        return there is entry
    return entry.same_content(there)


def _still(
    tree: _Tree,
    path: str,
    wanted: Mapping[str, Entry | None],
    expected: Mapping[str, Entry | None],
    strange: list[str] | None,
) -> None:
    """The last look before a path changes hands."""
    if strange is None:
        there = _look(tree, path)
        if not _is(there, expected[path]) and not _is(there, wanted[path]):
            raise changed_meanwhile(path)


def _write_beside(
    tree: _Tree,
    path: str,
    entry: Entry | None,
    replaced: Entry | None,
    temporary: str,
    objects: Objects,
) -> None:
    assert entry is not None
    with file_errors(path):
        handle = tree.folder(os.path.dirname(path))
        owner = _owner(tree, replaced)
        if entry.kind == "link":
            os.symlink(entry.digest, temporary, dir_fd=handle)
            os.chown(temporary, *owner, dir_fd=handle, follow_symlinks=False)
        else:
            objects.write(entry, temporary, handle)
            os.chown(temporary, *owner, dir_fd=handle, follow_symlinks=False)
            os.chmod(temporary, entry.mode, dir_fd=handle)
        os.utime(temporary, ns=(entry.mtime, entry.mtime), dir_fd=handle, follow_symlinks=False)


def _owner(tree: _Tree, replaced: Entry | None) -> tuple[int, int]:
    """A replaced file's owner stays; a new file is owned as the production folder is."""
    if os.geteuid() != 0:
        return -1, -1
    if replaced is not None:
        return replaced.uid, replaced.gid
    root = os.fstat(tree.handles[""])
    return root.st_uid, root.st_gid


def _blocked(tree: _Tree, path: str, going: list[str]) -> bool:
    """Whether a folder stands where the file must go, or a file where one of its folders must."""
    folder, _, name = path.rpartition("/")
    if any(above in going for above in _above(path)):
        return True
    try:
        handle = tree.folder(folder, make=False)
        return stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _clear_way(tree: _Tree, path: str) -> None:
    """Removes the empty folders that stand where a file must go."""
    folder, _, name = path.rpartition("/")
    with file_errors(path):
        handle = tree.folder(folder)
        try:
            mode = os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            tree.forget(path)
            _remove_empty_folder(handle, name)


def _remove_empty_folder(parent: int, name: str) -> None:
    handle = os.open(name, _FOLDER, dir_fd=parent)
    try:
        for inner in os.listdir(handle):
            _remove_empty_folder(handle, inner)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=parent)


def _unlink(tree: _Tree, path: str) -> None:
    folder, _, name = path.rpartition("/")
    with file_errors(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(name, dir_fd=tree.folder(folder, make=False))


def _remove_empty(tree: _Tree, gone: list[str]) -> None:
    """Folders that an earlier release filled and that hold nothing any more."""
    folders = {above for path in gone for above in _above(path)}
    for folder in sorted(folders, key=lambda path: -path.count("/")):
        tree.forget(folder)
        parent, _, name = folder.rpartition("/")
        with contextlib.suppress(OSError):  # not empty: somebody else's files are in it
            os.rmdir(name, dir_fd=tree.folder(parent, make=False))


def _remove_folders(undo: Undo) -> None:
    """Folders that the change had made, unless somebody put something in them."""
    for folder in reversed(undo.made):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(undo.root, folder))


def _clear_temporaries(tree: _Tree, temporary: Mapping[str, str]) -> None:
    for path, name in temporary.items():
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=tree.folder(os.path.dirname(path), make=False))


def _note(
    tree: _Tree, paths: list[str], wanted: Mapping[str, Entry | None], index: StatIndex
) -> None:
    """Remembers what was just put in place, so that the next look is one `lstat` a file."""
    for path in paths:
        entry = wanted[path]
        folder, _, name = path.rpartition("/")
        if entry is None:
            index.known.pop(path, None)
            index.changed = True
            continue
        found = os.stat(name, dir_fd=tree.folder(folder, make=False), follow_symlinks=False)
        index.known[path] = (stamp_of(found), entry_of(found, entry.digest))
        index.changed = True


def _require_room(root: str, need: int, files: int) -> None:
    folder = root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < need or (room.f_files and room.f_favail < files):
        raise disk_full(root, need=need)
