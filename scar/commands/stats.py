"""`/docker_stats`: what the containers use of the host."""

from __future__ import annotations

from scar.commands.command import JobCommand, failure, waiting
from scar.commands.words import size, title
from scar.document import Document
from scar.jobs.record import Job


class Stats(JobCommand):
    """CPU, memory, network and disk of each container."""

    word = "docker_stats"
    kind = "stats"
    summary = "CPU, memory, network and disk of each container"
    rank = 12

    def view(self, job: Job) -> Document:
        """One paragraph a container."""
        if job.result is None:
            if job.state.ended:
                return failure(job, "Stats failed")
            return waiting(job) or Document.of("📈 Measuring...")
        lines = [f"📈 {title(job.result['project'])} - Container Stats"]
        for row in job.result["containers"]:
            lines += [
                "",
                row["name"],
                f"🧮 CPU: {row['cpu_percent']}%",
                f"🧠 Memory: {size(row['memory'])} of {size(row['memory_limit'])}",
                f"🌐 Network: {size(row['network_received'])} in, {size(row['network_sent'])} out",
                f"💽 Disk: {size(row['disk_read'])} read, {size(row['disk_written'])} written",
            ]
        if not job.result["containers"]:
            lines += ["", "No container runs."]
        return Document.of("\n".join(lines))


COMMAND = Stats()
