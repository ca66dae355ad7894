"""Live log lines."""

from __future__ import annotations

import time
from collections.abc import Callable

from scar.jobs.results.follow import FollowResult
from workers.engine.logs import ContainerLogs
from workers.facts.container_logs import container_to_read, stamp
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob

_SECONDS = 600.0


class Follow(ReadJob[FollowResult]):
    """The lines of the primary container, or of the one that is named, as they are written."""

    kind = "follow"

    def answer(self, context: JobContext) -> FollowResult:
        """Report lines as output until ten minutes are over or the job is cancelled."""
        container = container_to_read(context)
        lines = ContainerLogs(context.engine, context.containers).follow(
            container.name, check=_until(context, time.monotonic() + _SECONDS)
        )
        count = 0
        try:
            for line in lines:
                context.steps.output(line.text, stamp=f"{stamp(line)} ", endless=True)
                count += 1
        except TimeoutError:
            pass
        return FollowResult(container.name, count)


def _until(context: JobContext, deadline: float) -> Callable[[], None]:
    def check() -> None:
        context.check()
        if time.monotonic() > deadline:
            raise TimeoutError

    return check


HANDLER = Follow()
