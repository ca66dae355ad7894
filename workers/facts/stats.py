"""The handler of `stats`, which measures the containers' resource usage."""

from __future__ import annotations

from dataclasses import asdict

from scar.jobs.results.json_record import ABSENT
from scar.jobs.results.stats import ContainerUsage, StatsResult
from scar.jobs.time_span import seconds_of
from workers.engine.stats import usage
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.state.primary_container import containers_of
from workers.state.usage_history import newest_cpu, usage_history


class Stats(ReadJob[StatsResult]):
    """Measures CPU, memory, network and disk usage of each running container."""

    kind = "stats"

    def answer(self, context: JobContext) -> StatsResult:
        """Return one row for each running container; with `since`, also the samples since then."""
        containers = containers_of(context).containers
        since = context.request.args.get("since")
        names = [container.name for container in containers]
        # The curve ends with the newest sample: who sees it need not wait for another measurement.
        cpu = newest_cpu(context, names) if since else {}
        rows = usage(context.engine, list(containers), cpu)
        return StatsResult(
            context.project.name,
            tuple(ContainerUsage(**asdict(row)) for row in rows),
            usage_history(context, names, seconds_of(since)) if since else ABSENT,
        )


HANDLER = Stats()
