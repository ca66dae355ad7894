"""The project's coding agent at work in the workspace."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from scar.errors import ScarError
from scar.jobs.record import JobState
from workers.agent.command import agent_command
from workers.agent.difference import difference
from workers.agent.handover import hand_over, take_back
from workers.agent.identity import Identity, identity_for, require_power
from workers.agent.output import AgentOutput
from workers.agent.run import AgentRun, end_leftovers
from workers.agent.run_store import Begun, RunStore
from workers.agent.snapshot import Contents, changed_since, listing
from workers.agent.workspace import exclusive_workspace, handover_note
from workers.files.failures import shown
from workers.files.undo import Undo
from workers.git.commit import workspace_commit
from workers.runtime.context import JobContext, Outcome, WriteJob
from workers.runtime.reporter import JobLost

SECONDS = 30 * 60.0
"""So long may an agent work."""

_SHOWN = 200
_ENGINE_SOCKET = "/var/run/docker.sock"
_log = structlog.get_logger(__name__)


class Agent(WriteJob):
    """It works as the workspace's owner; what it did can be discarded. It is never run twice."""

    kind = "agent"

    def plan(self, context: JobContext) -> dict[str, Any]:
        """It asks nothing: what is asked for is the instruction itself."""
        instruction = str(context.request.args["instruction"])
        return {"hash": hashlib.sha256(instruction.encode()).hexdigest()}

    def run(self, context: JobContext, confirmed: str | None) -> Outcome:  # noqa: ARG002
        """Runs the agent, or finds out what one that was cut off has done."""
        state, workspace = context.settings.state_dir, context.project.workspace
        with exclusive_workspace(state, workspace, context.check, holder=context.holder) as lock:
            run_store = RunStore(agent_folder(context))
            if context.resumed:
                return _settle(context, run_store)
            return _work(context, run_store, lock)


def agent_folder(context: JobContext) -> Path:
    """Where what belongs to the project's agent is kept."""
    return context.folder / "agent"


def _work(context: JobContext, run_store: RunStore, lock: int) -> Outcome:
    begun_at = time.monotonic()
    output = AgentOutput(context.output)
    workspace = context.project.workspace
    context.announce(("checking", "Checking"), ("keeping", "Keeping"), ("working", "Working"))
    with context.step("checking", "Checking"):
        run = _prepared(context)
    with context.step("keeping", "Keeping what is there"):
        _keep(context, run_store, run.identity)
    error: ScarError | None = None
    try:
        with (
            context.step("working", "Working", detail=str(workspace)),
            _handed_over(context, run.identity),
        ):
            context.check()
            code = run.run(lock, SECONDS, context.check, output.line)
            if code != 0:
                raise _failed(code, output)
    except JobLost:
        raise
    except Exception as found:  # noqa: BLE001 (what it changed is told all the same)
        error = context.foreseen(found)
    return _ended(context, run_store, error, output, time.monotonic() - begun_at)


def _prepared(context: JobContext) -> AgentRun:
    """What is run, once it is sure that it can be."""
    project = context.project
    require_power()
    if not project.workspace.is_dir():
        raise ScarError(
            "project_invalid",
            f"The workspace {project.workspace} is not there",
            "Clone the project there, or correct `workspace` in the projects file.",
        )
    instruction = str(context.request.args["instruction"])
    command = agent_command(project.name, project.agent, instruction)
    identity = identity_for(project.workspace, context.settings.agent_homes)
    run = AgentRun(context.request.id, command, identity, project.workspace)
    run.require_possible(_sockets(context))
    return run


def _sockets(context: JobContext) -> list[str]:
    """What would give the agent the Engine, or SCAR's Redis."""
    address = context.settings.docker_host or f"unix://{_ENGINE_SOCKET}"
    kind, _, path = address.partition("://")
    if kind in ("tcp", "http"):
        raise ScarError(
            "forbidden",
            f"The Docker Engine listens at {kind}://, where the agent could reach it as well",
            "Let this host's worker use the Engine's Unix socket.",
        )
    sockets = [path] if kind == "unix" else []
    return [*sockets, _ENGINE_SOCKET, str(context.settings.redis_socket)]


def _keep(context: JobContext, run_store: RunStore, identity: Identity) -> None:
    workspace = context.project.workspace
    found = run_store.look(workspace)
    git = workspace_commit(workspace)
    begun = Begun(
        context.request.id,
        identity.uid,
        (workspace / ".git").exists(),
        git.commit,
        tuple(sorted(found.left_out)),
    )
    run_store.keep(begun, workspace, found, context.check)


@contextmanager
def _handed_over(context: JobContext, identity: Identity) -> Iterator[None]:
    """The workspace is the agent's, where it was root's."""
    if not identity.handed_over:
        yield
        return
    workspace = context.project.workspace
    note = handover_note(context.settings.state_dir, workspace)
    try:
        hand_over(note, workspace, identity.uid, identity.gid)
        yield
    finally:
        take_back(note)


def _failed(code: int, output: AgentOutput) -> ScarError:
    return ScarError(
        "agent_failed",
        f"The agent ended with code {code}",
        "Its last lines say why; what it has changed is below.",
        lines=output.last,
    )


def _settle(context: JobContext, run_store: RunStore) -> Outcome:
    """It was begun before: it is not run again, and what it did is looked at."""
    lost = ScarError(
        "worker_lost",
        "The worker was killed, or Redis lost its data, while the agent worked; it was stopped",
        "It is not started again by itself: look at what it did, and ask again if you want it.",
    )
    begun = run_store.begun
    if begun is None or begun.job != context.request.id:
        lost.hint = "It had not begun to work: nothing was changed. Ask again."
        return Outcome(JobState.FAILED, None, lost)
    end_leftovers(begun.job, begun.uid)
    return _ended(context, run_store, lost, AgentOutput(context.output), None)


def _ended(
    context: JobContext,
    run_store: RunStore,
    error: ScarError | None,
    output: AgentOutput,
    seconds: float | None,
) -> Outcome:
    """What it did, whatever it came to. Nobody can call that off."""
    with context.step("comparing", "Looking at what changed"):
        kept, begun = run_store.kept, run_store.begun
        assert kept is not None
        assert begun is not None
        now = run_store.look(context.project.workspace)
        undo = changed_since(kept, frozenset(begun.left_out), now)
        run_store.ended(undo)
        result = _Told(context, begun, undo, now).result(run_store)
    result["output"] = [context.text(line) for line in output.last]
    result["seconds"] = seconds
    if error is None:
        return Outcome(JobState.SUCCEEDED, result)
    state = JobState.CANCELLED if error.code == "cancelled" else JobState.FAILED
    return Outcome(state, result, error)


@dataclass(frozen=True)
class _Told:
    """A run's end, in the words of its message."""

    context: JobContext
    begun: Begun
    undo: Undo
    now: Contents

    def result(self, run_store: RunStore) -> dict[str, Any]:
        """`files` are at most 200 of each kind, `counts` says how many there are."""
        files = listing(self.undo, self.now)
        diff, left_out = self._difference(run_store)
        return {
            "workspace": str(self.context.project.workspace),
            "counts": {word: len(paths) for word, paths in files.items()},
            "files": {word: [shown(p) for p in paths[:_SHOWN]] for word, paths in files.items()},
            "diff": diff,
            "not_in_diff": [shown(path) for path in left_out[:_SHOWN]],
            "notices": self._notices(),
        }

    def _difference(self, run_store: RunStore) -> tuple[str, list[str]]:
        try:
            diff, left_out = difference(self.undo, run_store.objects)
        except (OSError, ScarError) as error:
            # Somebody else is at work there: the list says what changed all the same.
            _log.warning("no diff", job=self.context.request.id, reason=str(error))
            return "", []
        return self.context.text(diff), left_out

    def _notices(self) -> list[str]:
        workspace = self.context.project.workspace
        found = []
        if not workspace.is_dir():
            found.append(f"The whole workspace {workspace} is gone; Discard brings its files back.")
        if self.begun.git and not (workspace / ".git").exists():
            found.append("`.git` is gone, with every commit in it: Discard cannot bring it back.")
        elif workspace_commit(workspace).commit != self.begun.commit:
            found.append(
                "Commits were made: Discard brings files back, and leaves `.git` as it is."
            )
        new = self.now.left_out - set(self.begun.left_out)
        for what, paths in (
            ("Neither files nor links", new & self.now.special),
            ("Too deep, mostly holes or still being written", new - self.now.special),
        ):
            if paths:
                names = ", ".join(shown(path) for path in sorted(paths)[:5])
                found.append(f"{what}, Discard leaves them: {names}")
        return found


HANDLER = Agent()
