"""Files that are written whole or not at all, by the parts of SCAR that run no jobs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def create_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a new file; raises `FileExistsError` if `path` exists, and `OSError`. link(2) fails if
    the name exists, so that of several processes exactly one creates the file.
    """
    with _written_beside(path, content, mode) as temporary:
        os.link(temporary, path)


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file in the place of the one that may be there; raises `OSError`."""
    with _written_beside(path, content, mode) as temporary:
        os.replace(temporary, path)


@contextmanager
def _written_beside(path: Path, content: bytes, mode: int) -> Iterator[str]:
    """Write a temporary file in the same folder and sync it; at the end, remove it if it still
    exists.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
