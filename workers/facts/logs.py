"""The handler of `logs`, which reads the last lines of a container's log."""

from __future__ import annotations

from scar.jobs.results.logs import LogTail
from workers.engine.logs import ContainerLogs
from workers.facts.container_logs import container_to_read, stamp
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob


class ReadLogs(ReadJob[LogTail]):
    """Reads stdout and stderr of a container, merged by time."""

    kind = "logs"

    def read(self, context: JobContext) -> LogTail:
        """Return the lines with timestamps, without control characters and with secrets masked."""
        container = container_to_read(context)
        tail = ContainerLogs(context.engine, context.containers).tail(
            container.id, context.request.args["lines"]
        )
        lines = tuple(f"{stamp(line)} {context.masker.text(line.text)}" for line in tail.lines)
        cut = f"{tail.cut} older lines are left out: they are too large to send."
        return LogTail(
            container=container.name,
            count=len(lines),
            lines=lines,
            notices=(cut,) if tail.cut else (),
        )


HANDLER = ReadLogs()
