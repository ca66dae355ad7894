"""Locks a workspace for one job, and first gives files that an agent's user still owns back to
root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.agent.handover import take_back
from workers.state.workspace_lock import NOTICE, lock_path, workspace_lock


@contextmanager
def exclusive_workspace(
    state_dir: Path,
    workspace: Path,
    check: Callable[[], None],
    *,
    holder: str,
    notice: float = NOTICE,
) -> Iterator[int]:
    """Hold the exclusive lock of a workspace as `workspace_lock` does, and yield the lock's
    descriptor.

    If a killed worker left files of root's in the ownership of an agent's user, root owns them
    again before the block runs.
    """
    with workspace_lock(state_dir, workspace, check, holder=holder, notice=notice) as lock:
        take_back(handover_note(state_dir, workspace))
        yield lock


def handover_note(state_dir: Path, workspace: Path) -> Path:
    """Return the path of the note that exists while files of the workspace are handed over to an
    agent's user.
    """
    lock = lock_path(state_dir, workspace)
    return lock.with_name(f"{lock.name}.handed-over")
