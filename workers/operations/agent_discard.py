"""The workspace as it was before the agent's last run."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from scar.errors import ScarError
from scar.jobs.record import JobState
from workers.agent.run_store import RunStore
from workers.agent.snapshot import Contents, listing, still_there
from workers.agent.workspace import exclusive_workspace
from workers.files.apply import revert
from workers.files.failures import shown
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.operations.agent import agent_folder
from workers.runtime.context import JobContext, Outcome, PlanChanged, WriteJob

_SHOWN = 200


class AgentDiscard(WriteJob):
    """Each file is brought back whole; what somebody changed since is left to them."""

    kind = "agent_discard"

    def plan(self, context: JobContext) -> dict[str, Any]:
        """What would be brought back, and what is left since somebody changed it."""
        run_store = RunStore(agent_folder(context))
        now = run_store.look(context.project.workspace)
        return _shown(context, *_undoable(context, run_store, now), now)

    def run(self, context: JobContext, confirmed: str | None) -> Outcome:
        """Brings it back; one that was cut off is finished."""
        state, workspace = context.settings.state_dir, context.project.workspace
        with exclusive_workspace(state, workspace, context.check, holder=context.holder):
            run_store = RunStore(agent_folder(context))
            now = run_store.look(workspace)
            cut_off = run_store.discarding if context.resumed else None
            if cut_off is not None and cut_off.job == context.request.id:
                revert(cut_off, run_store.objects, StatCache())
                return Outcome(JobState.SUCCEEDED, _shown(context, cut_off, [], now))
            undo, theirs = _undoable(context, run_store, now)
            plan = _shown(context, undo, theirs, now)
            if confirmed is not None and plan["hash"] != confirmed:
                raise PlanChanged(plan)
            with context.step("discarding", "Bringing files back"):
                context.check()
                run_store.discard(undo)
                revert(undo, run_store.objects, StatCache())
            return Outcome(JobState.SUCCEEDED, plan)


def _undoable(context: JobContext, run_store: RunStore, now: Contents) -> tuple[Undo, list[str]]:
    undo = run_store.undo
    if undo is None:
        raise ScarError(
            "not_found",
            f"There is nothing of an agent in '{context.project.name}' to discard",
            "Discard undoes the agent's last run, once that has ended.",
        )
    found, theirs = still_there(undo, now)
    return Undo(**{**vars(found), "job": context.request.id}), theirs


def _shown(context: JobContext, undo: Undo, theirs: list[str], now: Contents) -> dict[str, Any]:
    files = listing(undo, now)
    seen = {
        "now": {path: e and (e.digest, e.mode) for path, e in undo.after.items()},
        "back": {path: e and (e.digest, e.mode) for path, e in undo.before.items()},
        "folders": [sorted(undo.folders), undo.made],
        "left": theirs,
    }
    return {
        "workspace": str(context.project.workspace),
        "counts": {word: len(paths) for word, paths in files.items()},
        "files": {word: [shown(p) for p in paths[:_SHOWN]] for word, paths in files.items()},
        "left": [shown(path) for path in theirs[:_SHOWN]],
        "hash": hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest(),
    }


HANDLER = AgentDiscard()
