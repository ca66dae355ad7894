"""The handler of `follow`, which reports new log lines as they are written."""

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
    """Follows the log of the primary container, or of the container that the request names."""

    kind = "follow"

    def read(self, context: JobContext) -> FollowResult:
        """Report each line as output, for ten minutes or until the job is cancelled."""
        container = container_to_read(context)
        lines = ContainerLogs(context.engine, context.containers).follow(
            container.name, check=_until(context, time.monotonic() + _SECONDS)
        )
        count = 0
        try:
            for line in lines:
                context.steps.output(f"{stamp(line)} {line.text}", endless=True)
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
