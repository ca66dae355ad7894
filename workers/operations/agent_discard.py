"""The handler of `agent_discard`, which restores the workspace to its state before the agent's
last run.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import replace

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.agent_discard import AgentDiscardPlan
from workers.agent.changes import changed_paths, without_conflicts
from workers.agent.run_store import RunStore
from workers.agent.snapshot import Contents
from workers.agent.workspace import exclusive_workspace
from workers.files.apply import revert
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.operations.agent import agent_folder
from workers.operations.agent_report import file_counts, file_names, first_names
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome


class AgentDiscard(WriteJob[Undo, AgentDiscardPlan, AgentDiscardPlan]):
    """Restores each file as a whole, and skips files that somebody has changed since the run."""

    kind = "agent_discard"

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the workspace's exclusive lock."""
        state, workspace = context.settings.state_dir, context.project.workspace
        return exclusive_workspace(state, workspace, context.check, holder=context.holder)

    def recover(self, context: JobContext, _lock: int, /) -> Outcome[AgentDiscardPlan] | None:
        """Finish a discard of this job that was interrupted."""
        run_store = RunStore(agent_folder(context))
        cut_off = run_store.last_discard if context.resumed else None
        if cut_off is None or cut_off.job != context.request.id:
            return None
        now = run_store.scan(context.project.workspace)
        revert(cut_off, run_store.content_store, StatCache())
        return Outcome(JobState.SUCCEEDED, _plan(context, cut_off, [], now))

    def make_plan(self, context: JobContext, /) -> tuple[Undo, AgentDiscardPlan]:
        """Return the files to restore, and those to skip because somebody has changed them
        since.
        """
        run_store = RunStore(agent_folder(context))
        now = run_store.scan(context.project.workspace)
        undo, changed_since = _undoable(context, run_store, now)
        return undo, _plan(context, undo, changed_since, now)

    def execute(
        self, context: JobContext, undo: Undo, execution: Execution[AgentDiscardPlan], /
    ) -> Outcome[AgentDiscardPlan]:
        """Restore the files, after saving the undo record."""
        run_store = RunStore(agent_folder(context))
        with context.steps.step("discarding", "Bringing files back"):
            context.check()
            run_store.save_discard(undo)
            revert(undo, run_store.content_store, StatCache())
        return Outcome(JobState.SUCCEEDED, execution.plan)


def _undoable(context: JobContext, run_store: RunStore, now: Contents) -> tuple[Undo, list[str]]:
    undo = run_store.undo
    if undo is None and run_store.last_run is not None:
        undo = run_store.undo_until(now)  # the comparison after the run has failed
    if undo is None:
        raise ScarError(
            "not_found",
            f"There is nothing of an agent in '{context.project.name}' to discard",
            "Discard undoes the agent's last run, once that has ended.",
        )
    possible, changed_since = without_conflicts(undo, now)
    return replace(possible, job=context.request.id), changed_since


def _plan(
    context: JobContext, undo: Undo, changed_since: list[str], now: Contents
) -> AgentDiscardPlan:
    files = changed_paths(undo, now)
    hashed = {
        "now": {path: e and (e.digest, e.mode) for path, e in undo.after.items()},
        "back": {path: e and (e.digest, e.mode) for path, e in undo.before.items()},
        "folders": [sorted(undo.folders), undo.made],
        "left": changed_since,
    }
    return AgentDiscardPlan(
        workspace=str(context.project.workspace),
        counts=file_counts(files),
        files=file_names(files),
        left=first_names(changed_since),
        hash=hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest(),
    )


HANDLER = AgentDiscard()
