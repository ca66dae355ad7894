"""A workspace held exclusively, with files that an agent's user still has taken back."""

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
    """Hold the workspace as `workspace_lock` does, and take back first what a killed worker had
    handed over to an agent's user and could not take back itself.
    """
    with workspace_lock(state_dir, workspace, check, holder=holder, notice=notice) as lock:
        take_back(handover_note(state_dir, workspace))
        yield lock


def handover_note(state_dir: Path, workspace: Path) -> Path:
    """Return where it is noted that files of the workspace belong to an agent's user for now."""
    lock = lock_path(state_dir, workspace)
    return lock.with_name(f"{lock.name}.handed-over")
