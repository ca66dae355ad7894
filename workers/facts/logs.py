"""The handler of `logs`, which reads the last lines of a container's log."""

from __future__ import annotations

from collections.abc import Sequence

from scar.jobs.line_filter import LineFilter
from scar.jobs.results.logs import LogTail
from workers.engine.logs import ContainerLogs
from workers.engine.text import shortened
from workers.facts.container_logs import container_to_read, stamp
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob

MOST_BYTES = 1024 * 1024
"""Maximum size of the returned lines, which are stored in Redis and sent to a chat as a file."""


class ReadLogs(ReadJob[LogTail]):
    """Reads stdout and stderr of a container, merged by time."""

    kind = "logs"

    def answer(self, context: JobContext) -> LogTail:
        """Return the lines with their timestamps, masked."""
        container = container_to_read(context)
        tail = ContainerLogs(context.engine, context.containers).tail(
            container.id, context.request.args["lines"]
        )
        takes = LineFilter.of(context.request.args.get("grep", "")).takes
        masked = ((line, context.masker.line(line.text)) for line in tail.lines)
        lines = [f"{stamp(line)} {shortened(text)}" for line, text in masked if takes(text)]
        return log_tail(container.name, lines, tail.cut)


def log_tail(container: str, lines: Sequence[str], left_out: int) -> LogTail:
    """Return as many of the newest lines as fit; `left_out` is the number of older lines already
    missing.
    """
    room = MOST_BYTES
    first = len(lines)
    while first and (room := room - len(lines[first - 1].encode("utf-8", "replace")) - 1) >= 0:
        first -= 1
    left_out += first
    notice = (
        f"{left_out} older {'line is' if left_out == 1 else 'lines are'} left out: an answer has at"
        f" most 1 MiB. On the host, `docker logs {container}` shows them all."
    )
    return LogTail(container, len(lines) - first, tuple(lines[first:]), (notice,) * bool(left_out))


HANDLER = ReadLogs()
