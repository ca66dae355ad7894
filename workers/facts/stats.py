"""The handler of `stats`, which measures the containers' resource usage."""

from __future__ import annotations

from dataclasses import asdict

from scar.jobs.results.stats import ContainerUsage, StatsResult
from workers.engine.stats import usage
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.state.primary_container import containers_of


class Stats(ReadJob[StatsResult]):
    """Measures CPU, memory, network and disk usage of each running container."""

    kind = "stats"

    def answer(self, context: JobContext) -> StatsResult:
        """Return one row for each container that runs."""
        containers = containers_of(context).containers
        rows = usage(context.engine, list(containers))
        return StatsResult(
            context.project.name, tuple(ContainerUsage(**asdict(row)) for row in rows)
        )


HANDLER = Stats()
