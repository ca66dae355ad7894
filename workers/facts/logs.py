"""The last lines of a container's log."""

from __future__ import annotations

from scar.jobs.results.logs import LogTail
from workers.engine.logs import ContainerLogs
from workers.facts.container_logs import container_to_read, stamp
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob


class ReadLogs(ReadJob[LogTail]):
    """Both streams, merged by time."""

    kind = "logs"

    def answer(self, context: JobContext) -> LogTail:
        """Return the lines with their timestamps, fit to be shown."""
        container = container_to_read(context)
        tail = ContainerLogs(context.engine, context.containers).tail(
            container.id, context.request.args["lines"]
        )
        lines = tuple(f"{stamp(line)} {context.masker.line(line.text)}" for line in tail.lines)
        cut = f"{tail.cut} older lines are left out: they are too large to send."
        return LogTail(
            container=container.name,
            count=len(lines),
            lines=lines,
            notices=(cut,) if tail.cut else (),
        )


HANDLER = ReadLogs()
