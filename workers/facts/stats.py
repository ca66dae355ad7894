"""What the containers use of the host."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workers.engine.stats import usage
from workers.managed import managed
from workers.work import Fact, Task


class Stats(Fact):
    """CPU, memory, network and disk of each running container."""

    kind = "stats"

    def read(self, task: Task) -> dict[str, Any]:
        """One row a container."""
        found = managed(task.containers, task.project)
        rows = [asdict(one) for one in usage(task.engine, list(found.containers))]
        return {"project": task.project.name, "containers": rows}


WORK = Stats()
