"""Live log lines."""

from __future__ import annotations

import time
from typing import Any

from scar.redaction import secret_values
from workers.engine.logs import Logs
from workers.managed import managed
from workers.work import Fact, Task

_SECONDS = 600.0


class Follow(Fact):
    """The lines of the primary container, or of the one asked for, as they are written."""

    kind = "follow"

    def read(self, task: Task) -> dict[str, Any]:
        """Ends after ten minutes, or when the job is cancelled."""
        found = managed(task.containers, task.project)
        wanted = task.request.args.get("container")
        container = found.named(wanted) if wanted else found.main()
        task.hide(secret_values(task.containers.inspect(container.id).environment))
        name = container.name
        deadline = time.monotonic() + _SECONDS
        lines = Logs(task.engine, task.containers).follow(name, check=_until(task, deadline))
        count = 0
        try:
            for line in lines:
                task.output(f"[{line.time:%Y-%m-%d %H:%M:%S}] {line.text}", endless=True)
                count += 1
        except TimeoutError:
            pass
        return {"container": name, "count": count}


def _until(task: Task, deadline: float) -> Any:
    def check() -> None:
        task.check()
        if time.monotonic() > deadline:
            raise TimeoutError

    return check


WORK = Follow()
