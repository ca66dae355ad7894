"""The lock of a workspace: exclusive for a coding agent, its undoing and an update by Git; shared
for deploys while they read it.
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
    """Hold the workspace, exclusively unless `shared`; yield the lock's descriptor.

    `holder` is named in the error of those who wait in vain: 30 seconds, or 5 to read; `check` may
    end the wait sooner. An exclusive holder that has lost its job is killed after `notice` seconds.
    Whoever changes the workspace takes `workers.agent.workspace.exclusive_workspace` instead.
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
    """Return the lock's file; other state of the workspace is kept beside it."""
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()
    return state_dir / "workspaces" / name
