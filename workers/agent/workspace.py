"""Exclusive access to a workspace, all of whose files have their own owners again."""

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
    """Hold the workspace as `workspace_lock` does, and yield the lock's descriptor.

    Files that a killed worker left with an agent's user are root's again before the block runs.
    """
    with workspace_lock(state_dir, workspace, check, holder=holder, notice=notice) as lock:
        take_back(handover_note(state_dir, workspace))
        yield lock


def handover_note(state_dir: Path, workspace: Path) -> Path:
    """Return the path of the note that exists while an agent's user has the workspace's files."""
    lock = lock_path(state_dir, workspace)
    return lock.with_name(f"{lock.name}.handed-over")
