"""A real Redis server on a port of its own: the one that `scar up` embeds."""

from __future__ import annotations

import subprocess
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from scar.cli import redis_server
from scar.settings import Settings
from tests.support.waiting import eventually, free_port


def answers(client: Redis) -> bool:
    """Return whether the server answers."""
    try:
        return bool(client.ping())
    except RedisError:
        return False


class RedisProcess:
    """A server that has every write on the disk before it answers, as SCAR's own has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = Settings.load({"SCAR_STATE_DIR": str(self.folder)}, dotenv=None)
        (self.folder / "redis").mkdir(parents=True, exist_ok=True)
        # A later option overrides an earlier one; the port is in addition to the socket.
        where = ("--port", str(self.port), "--bind", "127.0.0.1")
        self.process = subprocess.Popen([*redis_server.command_line(settings), *where])
        with Redis(port=self.port) as client:
            eventually(lambda: answers(client), "Redis answers")

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait()
