"""What an agent changed, as text: Git's diff of what was kept with what is there."""

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
_LARGEST = 256 * 1024
_SECONDS = 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_GIT = (
    "git", "-c", "core.quotePath=false", "diff", "--no-index", "--no-ext-diff", "--no-textconv",
    "--no-color", "--no-renames", "--no-prefix", "--", "a", "b",
)  # fmt: skip
_log = structlog.get_logger(__name__)


def difference(undo: Undo, objects: ContentStore) -> tuple[str, list[str]]:
    """The diff, at most 200,000 characters of it, and the files that are not in it since they are
    too large, too many or links. Binary files are named in it. Empty without Git."""
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="scar-diff-") as folder:
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        for number, path in enumerate(undo.after):
            sides = (undo.before[path], undo.after[path])
            if number >= _MOST_FILES or any(not _fits(side) for side in sides):
                left_out.append(path)
                continue
            for name, content in _contents(undo, objects, path):
                _put(Path(folder) / name, path, content, sides[name == "b"])
        text = _diff(folder)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n… the diff goes on\n"
    return text, left_out


def _fits(side: Entry | None) -> bool:
    return side is None or (side.kind == "file" and side.size <= _LARGEST)


def _contents(undo: Undo, objects: ContentStore, path: str) -> Iterator[tuple[str, bytes]]:
    before, after = undo.before[path], undo.after[path]
    if before is not None:
        yield "a", Path(objects.path_of(before)).read_bytes()
    if after is not None:
        with Tree(undo.root) as tree:
            folder, name = tree.split(path)
            hashed(folder, name, path)  # a file that holds still, and nothing else
            with os.fdopen(os.open(name, _OPEN, dir_fd=folder), "rb") as file:
                yield "b", file.read(_LARGEST)


def _put(root: Path, path: str, content: bytes, entry: Entry | None) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod((entry.mode if entry else 0) & 0o111 | 0o600)


def _diff(folder: str) -> str:
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": os.path.dirname(folder),
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    try:
        found = subprocess.run(
            _GIT, cwd=folder, env=env, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("no diff", reason=str(error))
        return ""
    return found.stdout.decode("utf-8", "replace")
