"""`/docker_status`: the state of the containers, and whether production differs from the
workspace.
"""

from __future__ import annotations

from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import title, uptime
from scar.document import Document
from scar.jobs.record import Job
from scar.jobs.results.json_record import present
from scar.jobs.results.status import ContainerStatus, LockStatus, StatusResult

_HEALTH_SIGNS = {"healthy": "💚", "starting": "💛", "unhealthy": "❤️"}


class StatusCommand(JobCommand):
    """Shows each container, both folders, and whether production is older than the workspace."""

    word = "docker_status"
    kind = "status"
    summary = "what runs in production"
    rank = 10

    def view(self, job: Job) -> Document:
        begun = f"📊 {title(job.request.project or '')} ..."
        return without_result(job, begun, "Status failed") or _status(job.read_result(StatusResult))


def _status(status: StatusResult) -> Document:
    lines = [f"📊 {title(status.project)} - Production Status"]
    if not status.deployed:
        lines += ["", f"🌱 Not deployed yet. /docker_deploy {status.project} makes the containers."]
    for container in status.containers if status.deployed else ():
        lines += ["", *_container_lines(container, old=status.old_version)]
    if status.deployed and not status.containers:
        lines += ["", f"No container is left. /docker_deploy {status.project} makes them again."]
    lines += _how_to_start(status)
    lines += ["", f"💡 Production: {status.production}", f"📁 Workspace: {status.workspace}"]
    if status.workspace_dirty:
        lines.append("💡 Workspace has uncommitted changes")
    elif status.workspace_dirty is None:
        lines.append("💡 Whether the workspace has uncommitted changes is unknown: Git failed")
    if status.lock:
        lines.append(_lock_line(status.lock))
    lines += [f"⚠️ {notice}" for notice in status.notices]
    return Document.of("\n".join(lines))


def _container_lines(container: ContainerStatus, *, old: bool) -> list[str]:
    lines = [container.name + (" (primary)" if container.primary else "")]
    running = container.state == "running"
    if running and old and container.old_version:
        lines.append("⚠️ Container: Running (OLD VERSION)")
    else:
        lines.append(f"{'✅' if running else '❌'} Status: {_state(container)}")
    if container.health:
        sign = _HEALTH_SIGNS[container.health]
        lines.append(f"{sign} Health: {container.health.capitalize()}")
    if running and container.uptime_seconds is not None:
        lines.append(f"⏱️ Uptime: {uptime(container.uptime_seconds)}")
    if container.ports:
        lines.append(f"🔌 Ports: {', '.join(container.ports)}")
    if container.image:
        lines.append(f"🐳 Image: {container.image}")
    return lines


def _state(container: ContainerStatus) -> str:
    words = container.state.capitalize()
    if container.state == "exited" and container.exit_code is not None:
        words = f"Exited ({container.exit_code})"
    stopped = present(container.stopped_seconds)
    return words if stopped is None else f"{words}, {uptime(stopped)} ago"


def _how_to_start(status: StatusResult) -> list[str]:
    states = {container.state for container in status.containers} if status.deployed else set()
    if "not found" in states:
        return ["", f"💡 /docker_deploy {status.project} makes what is not there."]
    if states & {"exited", "dead", "created"}:
        return ["", f"💡 /docker_restart {status.project} starts what does not run."]
    return []


def _lock_line(lock: LockStatus) -> str:
    since = lock.since[:16].replace("T", " ")
    return f"🔒 Locked by {lock.by} since {since} UTC: {lock.reason}"


COMMAND = StatusCommand()
