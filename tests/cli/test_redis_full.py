"""The embedded Redis on a disk that is really full."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar import redis_server
from scar.errors import ScarError
from scar.jobs.connection import connect, redis_errors
from scar.settings import Settings


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder of one megabyte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_its_words_reach_the_person_and_it_goes_on_once_there_is_room(state: Path) -> None:
    settings = Settings.load({"SCAR_STATE_DIR": str(state)}, dotenv=None)
    lock = redis_server.hold(settings)
    server = subprocess.Popen(redis_server.command(settings), stderr=subprocess.DEVNULL)
    redis = connect(settings.effective_redis_url)
    ballast = state / "ballast"

    def write(deadline: float) -> None:
        while True:
            try:
                with redis_errors():
                    redis.set("key", os.urandom(1000))
            except ScarError as error:
                if error.code != "redis_unavailable" or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def write_on() -> None:
        for _ in range(100):
            write(0)
            time.sleep(0.05)

    try:
        write(time.monotonic() + 10)
        room = os.statvfs(state)
        ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize))
        with pytest.raises(ScarError) as full:
            write_on()
        assert full.value.code == "disk_full"
        assert "No space left on device" in full.value.message
        ballast.unlink()
        time.sleep(1.5)
        write(time.monotonic() + 5)
    finally:
        server.kill()
        server.wait()
        os.close(lock)
