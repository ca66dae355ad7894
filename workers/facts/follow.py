"""Live log lines."""

from __future__ import annotations

import time
from typing import Any

from scar.redaction import secret_values
from workers.engine.logs import ContainerLogs
from workers.engine.project_containers import project_containers
from workers.runtime.context import JobContext, ReadJob

_SECONDS = 600.0


class Follow(ReadJob):
    """The lines of the primary container, or of the one asked for, as they are written."""

    kind = "follow"

    def read(self, context: JobContext) -> dict[str, Any]:
        """Ends after ten minutes, or when the job is cancelled."""
        found = project_containers(context.containers, context.project)
        wanted = context.request.args.get("container")
        container = found.named(wanted) if wanted else found.main()
        context.hide(secret_values(context.containers.inspect(container.id).environment))
        name = container.name
        deadline = time.monotonic() + _SECONDS
        lines = ContainerLogs(context.engine, context.containers).follow(
            name, check=_until(context, deadline)
        )
        count = 0
        try:
            for line in lines:
                context.output(f"[{line.time:%Y-%m-%d %H:%M:%S}] {line.text}", endless=True)
                count += 1
        except TimeoutError:
            pass
        return {"container": name, "count": count}


def _until(context: JobContext, deadline: float) -> Any:
    def check() -> None:
        context.check()
        if time.monotonic() > deadline:
            raise TimeoutError

    return check


HANDLER = Follow()
