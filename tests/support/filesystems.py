"""Small filesystems of their own, to be filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a small filesystem on demand."""
    mounted: list[Path] = []

    def make(options: str, kind: str = "tmpfs") -> Path:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", kind, "-o", options or "rw", "none", folder], check=True)
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path, leave: int) -> None:
    """Fill a filesystem until only `leave` bytes are free."""
    room = os.statvfs(folder)
    with (folder / "ballast").open("wb") as file:
        file.write(b"x" * max(0, room.f_bavail * room.f_frsize - leave))
