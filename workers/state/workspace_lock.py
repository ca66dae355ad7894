"""The lock of a workspace: exclusive for a coding agent, for discarding its changes and for Git
updates; shared for deploys, which only read.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scar.errors import ScarError
from workers.state.host_lock import HostLock, LockOwner

_PATIENCE = 30.0
_PATIENCE_TO_READ = 5.0
NOTICE = 8.0


@contextmanager
def workspace_lock(
    state_dir: Path,
    workspace: Path,
    check: Callable[[], None],
    *,
    shared: bool = False,
    holder: str = "",
    notice: float = NOTICE,
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Hold the workspace's lock, exclusively unless `shared`; yield the lock's descriptor.

    A wait takes at most 30 seconds, or 5 if `shared`; `check` may raise to end the wait. `holder`
    describes this job in the errors of other jobs that wait in vain. An exclusive holder that has
    lost its job is killed after `notice` seconds. Code that changes the workspace uses
    `workers.agent.workspace.exclusive_workspace` instead.
    """

    def busy(owner: LockOwner) -> ScarError:
        return ScarError(
            "busy",
            f"The workspace {workspace} is held by "
            f"{owner.holder or 'something that an earlier job started'}",
            "Wait until it has ended, or cancel it; /jobs shows how far it is.",
        )

    patience = _PATIENCE_TO_READ if shared else _PATIENCE
    lock = HostLock(lock_path(state_dir, workspace), busy, patience, notice, monotonic, pause)
    with lock.shared(check) if shared else lock.exclusive(check, holder) as handle:
        yield handle


def lock_path(state_dir: Path, workspace: Path) -> Path:
    """Return the path of the lock's file; further state of the workspace is stored beside it."""
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()
    return state_dir / "workspaces" / name
