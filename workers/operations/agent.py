"""The handler of `agent`, which runs the project's coding agent in the workspace."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.agent import AgentReport
from scar.jobs.results.job_kind import JobPlan
from scar.projects import folders
from workers.agent.command import agent_command
from workers.agent.handover import hand_over, take_back
from workers.agent.identity import Identity, identity_for, require_privileges
from workers.agent.leftovers import kill_leftovers
from workers.agent.output import AgentOutput
from workers.agent.run import AgentRun
from workers.agent.run_store import RunRecord, RunStore
from workers.agent.workspace import exclusive_workspace, handover_note
from workers.git.commit import workspace_commit
from workers.operations.agent_report import AgentChanges, not_compared
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome
from workers.runtime.reporter import JobLost

SECONDS = 30 * 60.0
"""Maximum duration of one run, in seconds."""

_ENGINE_SOCKET = "/var/run/docker.sock"


class Agent(WriteJob[str, JobPlan, AgentReport]):
    """Runs the agent as the workspace's owner; its changes can be discarded afterwards.

    A run is never repeated: if it was interrupted, the job only reports what the run has changed.
    """

    kind = "agent"

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the workspace's exclusive lock."""
        state, workspace = context.settings.state_dir, context.project.workspace
        return exclusive_workspace(state, workspace, context.check, holder=context.holder)

    def recover(self, context: JobContext, _lock: int, /) -> Outcome[AgentReport] | None:
        """If a run of this job was interrupted, report what it has changed."""
        if not context.resumed:
            return None
        error = ScarError(
            "worker_lost",
            "The worker was killed, or Redis lost its data, while the agent worked; it was stopped",
            "It is not started again by itself: look at what it did, and ask again if you want it.",
        )
        run_store = RunStore(agent_folder(context))
        record = run_store.last_run
        if record is None or record.job != context.request.id:
            error.hint = "It had not begun to work: nothing was changed. Ask again."
            return Outcome(JobState.FAILED, None, error)
        kill_leftovers(record.job, record.uid)
        return _ended(context, run_store, error, AgentOutput(context.steps.output), None)

    def make_plan(self, context: JobContext, /) -> tuple[str, JobPlan]:
        """Return the instruction. The job needs no confirmation, so the plan is only a hash of
        the instruction.
        """
        instruction = str(context.request.args["instruction"])
        return instruction, JobPlan(hash=hashlib.sha256(instruction.encode()).hexdigest())

    def execute(
        self, context: JobContext, instruction: str, execution: Execution[JobPlan], /
    ) -> Outcome[AgentReport]:
        """Run the agent, and report what it has changed, whether it succeeded or failed."""
        run_store = RunStore(agent_folder(context))
        output = AgentOutput(context.steps.output)
        steps = context.steps
        steps.announce(("checking", "Checking"), ("keeping", "Keeping"), ("working", "Working"))
        with steps.step("checking", "Checking"):
            run = _prepared_run(context, instruction)
        with steps.step("keeping", "Keeping what is there"):
            _keep_workspace(context, run_store, run.identity)
        error: ScarError | None = None
        try:
            _run(context, run, execution.lock, output)
        except JobLost:
            raise
        except Exception as failure:  # noqa: BLE001 (what it changed is reported all the same)
            error = context.scar_error(failure)
        return _ended(context, run_store, error, output, time.monotonic() - execution.started)


def agent_folder(context: JobContext) -> Path:
    """Return the folder for the records of the project's last agent run."""
    return context.folder / "agent"


def _prepared_run(context: JobContext, instruction: str) -> AgentRun:
    """Return the agent's run after checking that everything it needs is available."""
    project = context.project
    require_privileges()
    if not project.workspace.is_dir():
        raise ScarError(
            "project_invalid",
            f"The workspace {project.workspace} is not there",
            "Clone the project there, or correct `workspace` in the projects file.",
        )
    command = agent_command(project.name, project.agent, instruction)
    identity = identity_for(project.workspace, context.settings.agent_homes)
    run = AgentRun(context.request.id, command, identity, project.workspace)
    run.require_possible(_sockets(context), _kept(context))
    return run


def _kept(context: JobContext) -> tuple[str, str]:
    """Return the paths of the projects file, as configured and with links resolved, which the agent
    must not be able to write. Raises `forbidden` if it is in the workspace, all of which the agent
    may own during the run.
    """
    path, workspace = context.settings.projects_file, context.project.workspace
    if folders.inside(path, workspace):
        raise ScarError(
            "forbidden",
            f"The projects file {path} is in the workspace {workspace}: the agent could make "
            "anybody an admin",
            "Move it out of the workspace, and set SCAR_PROJECTS_FILE.",
        )
    return str(path), str(folders.resolved(path))


def _sockets(context: JobContext) -> list[str]:
    """Return the sockets that would give the agent access to the Docker Engine or to SCAR's
    Redis.
    """
    address = context.settings.docker_host or f"unix://{_ENGINE_SOCKET}"
    scheme, _, path = address.partition("://")
    if scheme in ("tcp", "http"):
        raise ScarError(
            "forbidden",
            f"The Docker Engine listens at {scheme}://, where the agent could reach it as well",
            "Let this host's worker use the Engine's Unix socket.",
        )
    sockets = [path] if scheme == "unix" else []
    return [*sockets, _ENGINE_SOCKET, str(context.settings.redis_socket)]


def _keep_workspace(context: JobContext, run_store: RunStore, identity: Identity) -> None:
    workspace = context.project.workspace
    contents = run_store.scan(workspace)
    record = RunRecord(
        context.request.id,
        identity.uid,
        (workspace / ".git").exists(),
        workspace_commit(workspace).commit,
        tuple(sorted(contents.left_out)),
    )
    run_store.start_run(record, workspace, contents, context.check)


def _run(context: JobContext, run: AgentRun, lock: int, output: AgentOutput) -> None:
    detail = str(context.project.workspace)
    with (
        context.steps.step("working", "Working", detail=detail),
        _handed_over(context, run.identity),
    ):
        context.check()
        code = run.run(lock, SECONDS, context.check, output.add_line)
        if code != 0:
            raise ScarError(
                "agent_failed",
                f"The agent ended with code {code}",
                "Its last lines say why; what it has changed is below.",
                lines=output.last,
            )


@contextmanager
def _handed_over(context: JobContext, identity: Identity) -> Iterator[None]:
    """Make the agent's user the owner of root's files in the workspace until the block ends."""
    if not identity.needs_handover:
        yield
        return
    workspace = context.project.workspace
    note = handover_note(context.settings.state_dir, workspace)
    try:
        hand_over(note, workspace, identity.uid, identity.gid)
        yield
    finally:
        take_back(note)


def _ended(
    context: JobContext,
    run_store: RunStore,
    error: ScarError | None,
    output: AgentOutput,
    seconds: float | None,
) -> Outcome[AgentReport]:
    """Compare the workspace with its snapshot and return the outcome; this can no longer be
    cancelled.

    If the comparison fails, the result says so, and `agent_discard` compares again.
    """
    try:
        with context.steps.step("comparing", "Looking at what changed"):
            changes = AgentChanges.since(context, run_store)
            report = changes.report(run_store, output, seconds)
    except JobLost:
        raise
    except Exception as failure:  # noqa: BLE001 (the agent has worked: that can be discarded)
        failed = context.scar_error(failure)
        error = error or failed
        report = not_compared(context, failed, output, seconds)
    if error is None:
        return Outcome(JobState.SUCCEEDED, report)
    state = JobState.CANCELLED if error.code == "cancelled" else JobState.FAILED
    return Outcome(state, report, error)


HANDLER = Agent()
