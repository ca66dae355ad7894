"""Shows an agent's changes as a diff, with `git diff --no-index` of the stored and the present
files.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
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


def difference(undo: Undo, store: ContentStore) -> tuple[str, list[str]]:
    """Return a unified diff of at most 200,000 characters, and the paths that it leaves out.

    Left out are links, files over 256 KiB, and all after the 200th path. Of binary files only the
    names are shown. The diff is empty if Git is missing or takes longer than 20 s. Raises OSError
    or `sync_failed` if a file changes or disappears meanwhile.
    """
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="scar-diff-") as folder:
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        for number, path in enumerate(undo.after):
            sides = (undo.before[path], undo.after[path])
            if number >= _MOST_FILES or any(not _is_small_file(side) for side in sides):
                left_out.append(path)
                continue
            for name, content in _contents(undo, store, path):
                _write(Path(folder) / name, path, content, sides[name == "b"])
        text = _diff(folder)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n… the diff goes on\n"
    return text, left_out


def _is_small_file(side: Entry | None) -> bool:
    return side is None or (side.kind == "file" and side.size <= _MOST_BYTES)


def _contents(undo: Undo, store: ContentStore, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the file's earlier content for side `a` and its present content for side `b` of the
    diff, as far as each exists.
    """
    before, after = undo.before[path], undo.after[path]
    if before is not None:
        yield "a", Path(store.path_of(before)).read_bytes()
    if after is not None:
        with Tree(undo.root) as tree:
            folder, name = tree.split(path)
            # Raises an error unless the path is a regular file that does not change while it is
            # read.
            hashed(folder, name, path)
            with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file:
                yield "b", file.read(_MOST_BYTES)


def _write(root: Path, path: str, content: bytes, entry: Entry | None) -> None:
    """Write a file for one side of the diff. Of its mode, only the executable bits matter to
    Git.
    """
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod((entry.mode if entry else 0) & 0o111 | 0o600)


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
