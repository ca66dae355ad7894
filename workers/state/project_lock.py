"""The lock of a state folder: that of a project, of a clone, or of the projects file.

Commands that a job starts inherit the lock, so that the next job does not begin while a `docker
compose` of a killed worker is still running.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from scar.errors import ScarError
from workers.state.host_lock import HostLock, LockOwner, owner_if_held

_PATIENCE = 30.0
_NOTICE = 8.0


def project_lock(
    folder: Path, check: Callable[[], None], *, holder: str = ""
) -> AbstractContextManager[int]:
    """Hold the lock of the project whose state is in `folder`; yield its descriptor.

    A holder that does not release it within 8 seconds is killed. Raises `busy` after 30 seconds;
    `check` may raise to end the wait.
    """
    return HostLock(folder / "lock", _busy, _PATIENCE, _NOTICE).exclusive(check, holder)


def refuse_if_held(folder: Path, project: str) -> None:
    """Raise `busy` if a job holds the lock of the project whose state is in `folder`."""
    owner = owner_if_held(folder / "lock")
    if owner is None:
        return
    if not owner.holder:
        raise _busy(owner)
    raise ScarError(
        "busy",
        f"Project '{project}' is held by {owner.holder}",
        "Wait until it has ended; /jobs shows how far it is.",
    )


def _busy(_owner: LockOwner) -> ScarError:
    return ScarError(
        "busy",
        "Something that an earlier job started still works on this project",
        "Wait for it to end; `ps` on the host shows a running `docker compose`.",
    )
