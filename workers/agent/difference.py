"""Renders changes as text: `git diff --no-index` of the files before and after."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.scan import hashed
from workers.files.tree import Tree
from workers.files.undo import Undo

MOST_CHARACTERS = 200_000
_MOST_FILES = 200
_MOST_BYTES = 256 * 1024
_SECONDS = 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_GIT = (
    "git", "-c", "core.quotePath=false", "diff", "--no-index", "--no-ext-diff", "--no-textconv",
    "--no-color", "--no-renames", "--no-prefix", "--", "a", "b",
)  # fmt: skip
_log = structlog.get_logger(__name__)


Read = Callable[[str], bytes]
"""Returns the content of a path on one side."""


def difference(undo: Undo, store: ContentStore) -> tuple[str, list[str]]:
    """Return the unified diff of an undo record, of the stored and the present files.

    Raises OSError or `sync_failed` if a file changes or disappears meanwhile.
    """

    def stored(path: str) -> bytes:
        entry = undo.before[path]
        assert entry is not None  # called only for paths that existed before
        return Path(store.path_of(entry)).read_bytes()

    return text_difference(undo.before, undo.after, stored, reader_of(undo.root))


def reader_of(root: str) -> Read:
    """Return a function that reads a file below `root`. It raises for anything but a regular file
    that does not change meanwhile, and follows no links.
    """

    def read(path: str) -> bytes:
        with Tree(root) as tree:
            folder, name = tree.split(path)
            hashed(folder, name, path)  # raises unless it is a regular file at rest
            with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file:
                return file.read(_MOST_BYTES)

    return read


def text_difference(
    before: Mapping[str, Entry | None],
    after: Mapping[str, Entry | None],
    read_before: Read,
    read_after: Read,
) -> tuple[str, list[str]]:
    """Return a unified diff of at most 200,000 characters, and the paths that it leaves out.

    Left out are links, files over 256 KiB, and all after the 200th path. Of binary files only the
    names are shown. The diff is empty if Git is missing or takes longer than 20 s.
    """
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="scar-diff-") as folder:
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        for number, path in enumerate(after):
            sides = ("a", before[path], read_before), ("b", after[path], read_after)
            if number >= _MOST_FILES or any(not _is_small_file(entry) for _, entry, _ in sides):
                left_out.append(path)
                continue
            for name, entry, read in sides:
                if entry is not None:
                    _write(Path(folder) / name, path, read(path), entry)
        text = _diff(folder)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n… the diff goes on\n"
    return text, left_out


def _is_small_file(side: Entry | None) -> bool:
    return side is None or (side.kind == "file" and side.size <= _MOST_BYTES)


def _write(root: Path, path: str, content: bytes, entry: Entry) -> None:
    """Write one side of a file; of its mode, Git's diff shows the executable bits alone."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(entry.mode & 0o111 | 0o600)


def _diff(folder: str) -> str:
    """Run Git's diff of `a` and `b` in the folder, without the user's Git configuration and
    attributes.
    """
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": os.path.dirname(folder),
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    try:
        process = subprocess.run(
            _GIT, cwd=folder, env=env, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("no diff", reason=str(error))
        return ""
    return process.stdout.decode("utf-8", "replace")
