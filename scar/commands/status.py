"""`/docker_status`: what runs, how it does, and whether it is what the workspace locks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scar.commands.command import JobCommand, failure, waiting
from scar.commands.words import title, uptime
from scar.document import Document
from scar.jobs.record import Job, JobState

_HEALTH = {"healthy": "💚", "starting": "💛", "unhealthy": "❤️"}


class Status(JobCommand):
    """Each container, the two folders, and whether production is older than the workspace."""

    word = "docker_status"
    kind = "status"
    summary = "what runs in production"
    rank = 10

    def view(self, job: Job) -> Document:
        """The containers, primary first."""
        if job.result is None:
            if job.state.ended:
                return failure(job, "Status failed")
            return waiting(job) or Document.of(f"📊 {title(job.request.project or '')} ...")
        result = job.result
        lines = [f"📊 {title(result['project'])} - Production Status"]
        for container in result["containers"]:
            lines += ["", *_container(container, old=result["old_version"])]
        if not result["containers"]:
            lines += ["", "No containers yet. /docker_deploy makes the first ones."]
        lines += ["", f"💡 Production: {result['production']}"]
        lines.append(f"📁 Workspace: {result['workspace']}")
        if result["workspace_dirty"]:
            lines.append("💡 Workspace has uncommitted changes")
        if result.get("lock"):
            lock = result["lock"]
            since = lock["since"][:16].replace("T", " ")
            lines.append(f"🔒 Locked by {lock['by']} since {since} UTC: {lock['reason']}")
        lines += [f"⚠️ {notice}" for notice in result["notices"]]
        assert job.state is JobState.SUCCEEDED or not job.state.ended
        return Document.of("\n".join(lines))


def _container(found: Mapping[str, Any], *, old: bool) -> list[str]:
    lines = [found["name"] + (" (primary)" if found["primary"] else "")]
    running = found["state"] == "running"
    if running and old and found["old_version"]:
        lines.append("⚠️ Container: Running (OLD VERSION)")
    else:
        lines.append(f"{'✅' if running else '❌'} Status: {_state(found)}")
    if found["health"]:
        lines.append(f"{_HEALTH[found['health']]} Health: {found['health'].capitalize()}")
    if running and found["uptime_seconds"] is not None:
        lines.append(f"⏱️ Uptime: {uptime(found['uptime_seconds'])}")
    if found["ports"]:
        lines.append(f"🔌 Ports: {', '.join(found['ports'])}")
    if found["image"]:
        lines.append(f"🐳 Image: {found['image']}")
    return lines


def _state(found: Mapping[str, Any]) -> str:
    if found["state"] == "exited" and found["exit_code"] is not None:
        return f"Exited ({found['exit_code']})"
    return str(found["state"]).capitalize()


COMMAND = Status()
