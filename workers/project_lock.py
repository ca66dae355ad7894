"""One changing job per project on this host, held by the kernel.

A lease on Redis tells others who works; this lock is what fences: the kernel frees it when its
holder dies and never before, and the commands a job starts inherit it, so that nobody begins while
an orphan of a killed worker still runs.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scar.errors import ScarError

_POLL = 0.1


@contextmanager
def project_lock(
    folder: Path,
    check: Callable[[], None],
    *,
    patience: float = 30.0,
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Holds the lock of the project whose state is in `folder`; yields its file descriptor.

    Raises `busy` after `patience` seconds; `check` may end the wait sooner.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = monotonic() + patience
        while not _taken(handle):
            check()
            if monotonic() > deadline:
                raise ScarError(
                    "busy",
                    "Something that an earlier job started still works on this project",
                    "Wait for it to end; `ps` on the host shows a running `docker compose`.",
                )
            pause(_POLL)
        yield handle
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
