"""Folders that every user can reach, and the small agent in one of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import agent_program

PROGRAM = Path(agent_program.__file__)
_FOR_ALL = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder below folders that are open to all; pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="scar-agent-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def program(public: Path) -> str:
    """The command line of the small agent."""
    python = shutil.which("python3", path=_FOR_ALL)
    assert python, "a Python that every user can run"
    place = public / "bin" / "program.py"
    place.parent.mkdir()
    shutil.copy(PROGRAM, place)
    place.chmod(0o755)
    return f"{python} {place}"


def own(folder: Path, uid: int) -> None:
    """Gives a folder and all in it to a user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
