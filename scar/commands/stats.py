"""`/docker_stats`: resource usage of the containers."""

from __future__ import annotations

from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import size, title
from scar.document import Document
from scar.jobs.record import Job
from scar.jobs.results.stats import ContainerUsage, StatsResult


class StatsCommand(JobCommand):
    """Shows CPU, memory, network and disk usage of each container, one paragraph each."""

    word = "docker_stats"
    kind = "stats"
    summary = "CPU, memory, network and disk of each container"
    rank = 12

    def view(self, job: Job) -> Document:
        return without_result(job, "📈 Measuring...", "Stats failed") or _usage(
            job.read_result(StatsResult)
        )


def _usage(result: StatsResult) -> Document:
    lines = [f"📈 {title(result.project)} - Container Stats"]
    for container in result.containers:
        lines += ["", *_container_lines(container)]
    if not result.containers:
        lines += ["", "No container runs."]
    return Document.of("\n".join(lines))


def _container_lines(row: ContainerUsage) -> list[str]:
    return [
        row.name,
        f"🧮 CPU: {row.cpu_percent}%",
        f"🧠 Memory: {size(row.memory)} of {size(row.memory_limit)}",
        f"🌐 Network: {size(row.network_received)} in, {size(row.network_sent)} out",
        f"💽 Disk: {size(row.disk_read)} read, {size(row.disk_written)} written",
    ]


COMMAND = StatsCommand()
