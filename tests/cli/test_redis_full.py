"""The embedded Redis on a full disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar.cli import redis_server
from scar.errors import ScarError
from scar.redis_client import connect, redis_errors
from scar.settings import Settings
from tests.support.waiting import eventually


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder of one megabyte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_every_write_that_was_answered_survives_a_full_disk(state: Path) -> None:
    """A Redis that cannot sync a write ends; here as in `scar up` it is then started again."""
    settings = Settings.load({"SCAR_STATE_DIR": str(state)}, dotenv=None)
    lock = redis_server.lock_folder(settings)
    redis = connect(settings.effective_redis_url)
    ballast = state / "ballast"
    answered: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(redis_server.command_line(settings), stderr=subprocess.DEVNULL)

    def write(number: int) -> bool:
        try:
            with redis_errors():
                redis.set(str(number), os.urandom(1000))
        except ScarError:
            return False
        answered.append(number)
        return True

    server = start()
    try:
        eventually(lambda: write(0), "it takes writes")
        room = os.statvfs(state)
        ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize))
        refused = next(number for number in range(1, 1000) if not write(number))
        server.kill()
        server.wait()
        ballast.unlink()
        server = start()
        eventually(lambda: write(refused), "it takes writes again")
        assert all(redis.exists(str(number)) for number in answered)
    finally:
        server.kill()
        server.wait()
        os.close(lock)
