"""The state folder is accessible only to SCAR's own user."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar.settings import SettingsError
from scar.settings.state_folder import keep_private

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_modes_of_an_earlier_version_are_mended(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "projects/shop/objects/ab").mkdir(parents=True)
    journal, content = (
        state / "projects/shop/journal.jsonl",
        state / "projects/shop/objects/ab/c.755",
    )
    journal.write_text("")
    content.write_text("")
    content.chmod(0o755)
    state.chmod(0o1777)
    keep_private(state)
    assert mode(state) == mode(state / "projects") == mode(state / "projects/shop/objects") == 0o700
    assert mode(journal) == 0o600
    assert mode(content) == 0o755, "a build reads contents with the modes that they have"


def test_new_files_are_private_and_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    keep_private(tmp_path / "state")
    assert not (tmp_path / "state").exists()
    (tmp_path / "file").write_text("")
    assert mode(tmp_path / "file") == 0o600
    keep_private(None)


def test_a_planted_link_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "state/projects").mkdir(parents=True)
    (tmp_path / "state/projects/lock").symlink_to("/etc/hostname")
    with pytest.raises(SettingsError, match=r"state/projects/lock is a symbolic link; remove it"):
        keep_private(tmp_path / "state")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["", "projects"])
def test_somebody_elses_state_stops_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "state/projects").mkdir(parents=True)
    os.chown(tmp_path / "state" / name, 1234, 1234)
    with pytest.raises(SettingsError, match="belongs to user 1234, and SCAR runs as user 0"):
        keep_private(tmp_path / "state")


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "scar.cli", "worker"),
        ("-m", "scar.cli", "up"),
        ("-m", "scar.cli", "api"),
        ("-m", "celery", "-A", "workers", "worker"),
    ],
)
def test_each_part_says_in_one_line_why_it_does_not_start(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/secret_key").symlink_to("/etc/hostname")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SCAR_STATE_DIR": str(tmp_path / "state"),
        "SCAR_PROJECTS_FILE": str(tmp_path / "projects.json"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == os.EX_CONFIG
    assert re.search(r"SCAR_STATE_DIR: \S+/secret_key is a symbolic link; remove it", done.stderr)
    assert "Traceback" not in done.stderr
