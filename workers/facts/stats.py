"""What the containers use of the host."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workers.engine.project_containers import project_containers
from workers.engine.stats import usage
from workers.runtime.context import JobContext, ReadJob


class Stats(ReadJob):
    """CPU, memory, network and disk of each running container."""

    kind = "stats"

    def read(self, context: JobContext) -> dict[str, Any]:
        """One row a container."""
        found = project_containers(context.containers, context.project)
        rows = [asdict(one) for one in usage(context.engine, list(found.containers))]
        return {"project": context.project.name, "containers": rows}


HANDLER = Stats()
