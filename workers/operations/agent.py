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
from workers.agent.shelf import Begun, Shelf
from workers.agent.snapshot import Contents, changed_since, listing
from workers.files.failures import shown
from workers.files.undo import Undo
from workers.git.commit import workspace_commit
from workers.report import JobLost
from workers.work import Operation, Outcome, Task
from workers.workspace_lock import handover_note, lock_path, workspace_lock

SECONDS = 30 * 60.0
"""So long may an agent work."""

_SHOWN = 200
_ENGINE_SOCKET = "/var/run/docker.sock"
_log = structlog.get_logger(__name__)


class Agent(Operation):
    """It works as the workspace's owner; what it did can be discarded. It is never run twice."""

    kind = "agent"

    def plan(self, task: Task) -> dict[str, Any]:
        """It asks nothing: what is asked for is the instruction itself."""
        instruction = str(task.request.args["instruction"])
        return {"hash": hashlib.sha256(instruction.encode()).hexdigest()}

    def run(self, task: Task, confirmed: str | None) -> Outcome:  # noqa: ARG002
        """Runs the agent, or finds out what one that was cut off has done."""
        state, workspace = task.settings.state_dir, task.project.workspace
        with workspace_lock(state, workspace, task.check, holder=task.holder) as lock:
            shelf = Shelf(agent_folder(task))
            if task.resumed:
                return _settle(task, shelf)
            return _work(task, shelf, lock)


def agent_folder(task: Task) -> Path:
    """Where what belongs to the project's agent is kept."""
    return task.folder / "agent"


def _work(task: Task, shelf: Shelf, lock: int) -> Outcome:
    begun_at = time.monotonic()
    output = AgentOutput(task.output)
    workspace = task.project.workspace
    task.announce(("checking", "Checking"), ("keeping", "Keeping"), ("working", "Working"))
    with task.step("checking", "Checking"):
        run = _prepared(task)
    with task.step("keeping", "Keeping what is there"):
        _keep(task, shelf, run.identity)
    error: ScarError | None = None
    try:
        with (
            task.step("working", "Working", detail=str(workspace)),
            _handed_over(task, run.identity),
        ):
            task.check()
            code = run.run(lock, SECONDS, task.check, output.line)
            if code != 0:
                raise _failed(code, output)
    except JobLost:
        raise
    except Exception as found:  # noqa: BLE001 (what it changed is told all the same)
        error = task.foreseen(found)
    return _ended(task, shelf, error, output, time.monotonic() - begun_at)


def _prepared(task: Task) -> AgentRun:
    """What is run, once it is sure that it can be."""
    project = task.project
    require_power()
    if not project.workspace.is_dir():
        raise ScarError(
            "project_invalid",
            f"The workspace {project.workspace} is not there",
            "Clone the project there, or correct `workspace` in the projects file.",
        )
    instruction = str(task.request.args["instruction"])
    command = agent_command(project.name, project.agent, instruction)
    identity = identity_for(project.workspace, task.settings.agent_homes)
    run = AgentRun(task.request.id, command, identity, project.workspace)
    run.require_possible(_sockets(task))
    return run


def _sockets(task: Task) -> list[str]:
    """What would give the agent the Engine, or SCAR's Redis."""
    address = task.settings.docker_host or f"unix://{_ENGINE_SOCKET}"
    kind, _, path = address.partition("://")
    if kind in ("tcp", "http"):
        raise ScarError(
            "forbidden",
            f"The Docker Engine listens at {kind}://, where the agent could reach it as well",
            "Let this host's worker use the Engine's Unix socket.",
        )
    sockets = [path] if kind == "unix" else []
    return [*sockets, _ENGINE_SOCKET, str(task.settings.redis_socket)]


def _keep(task: Task, shelf: Shelf, identity: Identity) -> None:
    workspace = task.project.workspace
    found = shelf.look(workspace)
    git = workspace_commit(workspace)
    begun = Begun(
        task.request.id,
        identity.uid,
        (workspace / ".git").exists(),
        git.commit,
        tuple(sorted(found.left_out)),
    )
    shelf.keep(begun, workspace, found, task.check)


@contextmanager
def _handed_over(task: Task, identity: Identity) -> Iterator[None]:
    """The workspace is the agent's, where it was root's."""
    if not identity.handed_over:
        yield
        return
    workspace = task.project.workspace
    note = handover_note(lock_path(task.settings.state_dir, workspace))
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


def _settle(task: Task, shelf: Shelf) -> Outcome:
    """It was begun before: it is not run again, and what it did is looked at."""
    lost = ScarError(
        "worker_lost",
        "The worker was killed, or Redis lost its data, while the agent worked; it was stopped",
        "It is not started again by itself: look at what it did, and ask again if you want it.",
    )
    begun = shelf.begun
    if begun is None or begun.job != task.request.id:
        lost.hint = "It had not begun to work: nothing was changed. Ask again."
        return Outcome(JobState.FAILED, None, lost)
    end_leftovers(begun.job, begun.uid)
    return _ended(task, shelf, lost, AgentOutput(task.output), None)


def _ended(
    task: Task,
    shelf: Shelf,
    error: ScarError | None,
    output: AgentOutput,
    seconds: float | None,
) -> Outcome:
    """What it did, whatever it came to. Nobody can call that off."""
    with task.step("comparing", "Looking at what changed"):
        kept, begun = shelf.kept, shelf.begun
        assert kept is not None
        assert begun is not None
        now = shelf.look(task.project.workspace)
        undo = changed_since(kept, frozenset(begun.left_out), now)
        shelf.ended(undo)
        result = _Told(task, begun, undo, now).result(shelf)
    result["output"] = [task.text(line) for line in output.last]
    result["seconds"] = seconds
    if error is None:
        return Outcome(JobState.SUCCEEDED, result)
    state = JobState.CANCELLED if error.code == "cancelled" else JobState.FAILED
    return Outcome(state, result, error)


@dataclass(frozen=True)
class _Told:
    """A run's end, in the words of its message."""

    task: Task
    begun: Begun
    undo: Undo
    now: Contents

    def result(self, shelf: Shelf) -> dict[str, Any]:
        """`files` are at most 200 of each kind, `counts` says how many there are."""
        files = listing(self.undo, self.now)
        diff, left_out = self._difference(shelf)
        return {
            "workspace": str(self.task.project.workspace),
            "counts": {word: len(paths) for word, paths in files.items()},
            "files": {word: [shown(p) for p in paths[:_SHOWN]] for word, paths in files.items()},
            "diff": diff,
            "not_in_diff": [shown(path) for path in left_out[:_SHOWN]],
            "notices": self._notices(),
        }

    def _difference(self, shelf: Shelf) -> tuple[str, list[str]]:
        try:
            diff, left_out = difference(self.undo, shelf.objects)
        except (OSError, ScarError) as error:
            # Somebody else is at work there: the list says what changed all the same.
            _log.warning("no diff", job=self.task.request.id, reason=str(error))
            return "", []
        return self.task.text(diff), left_out

    def _notices(self) -> list[str]:
        workspace = self.task.project.workspace
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


WORK = Agent()
