"""The handler of `follow`, which reports new log lines as they are written."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from scar.errors import ScarError
from scar.jobs.results.follow import FollowResult
from workers.engine.container import Container
from workers.engine.logs import ContainerLogs
from workers.facts.container_logs import container_to_read, stamp
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob

_SECONDS = 600.0
_ALIVE = ("running", "restarting", "paused")


class Follow(ReadJob[FollowResult]):
    """Follows the log of the primary container, or of the container that the request names."""

    kind = "follow"

    def answer(self, context: JobContext) -> FollowResult:
        """Report lines as output until ten minutes are over or the job is cancelled."""
        container = container_to_read(context)
        if container.state not in _ALIVE:
            raise _stopped(container, context.project.name)
        with context.steps.step("following", "Following", detail=container.name):
            return FollowResult(container.name, _follow(context, container.name))


def _follow(context: JobContext, name: str) -> int:
    """Report a container's new lines until the time is over; return how many there were."""
    check = _until(context, time.monotonic() + _SECONDS)
    count = 0
    with suppress(TimeoutError):
        for line in ContainerLogs(context.engine, context.containers).follow(name, check=check):
            context.steps.output(line.text, stamp=f"{stamp(line)} ", endless=True)
            count += 1
    return count


def _stopped(container: Container, project: str) -> ScarError:
    """Return the error for a container that writes nothing until somebody starts it."""
    return ScarError(
        "conflict",
        f"Container '{container.name}' does not run: it is {container.state}",
        f"/docker_logs {project}/{container.name} shows its last lines, /docker_restart {project} "
        "starts it.",
    )


def _until(context: JobContext, deadline: float) -> Callable[[], None]:
    def check() -> None:
        context.check()
        if time.monotonic() > deadline:
            raise TimeoutError

    return check


HANDLER = Follow()
