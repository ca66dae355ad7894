"""A folder that every user can enter, and the test agent in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import agent_program

PROGRAM = Path(agent_program.__file__)
_PUBLIC_PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture
def public() -> Iterator[Path]:
    """Yield a folder that every user can enter, unlike those of `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="scar-agent-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def program(public: Path) -> str:
    """Return the command line of the test agent."""
    python = shutil.which("python3", path=_PUBLIC_PATH)
    assert python, "a Python that every user can run"
    script = public / "bin" / "program.py"
    script.parent.mkdir()
    shutil.copy(PROGRAM, script)
    script.chmod(0o755)
    return f"{python} {script}"


def own(folder: Path, uid: int) -> None:
    """Give a folder and everything in it to a user and the group of the same number."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
