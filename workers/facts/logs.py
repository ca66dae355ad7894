"""The last lines of a container's log."""

from __future__ import annotations

from typing import Any

from scar.redaction import secret_values
from workers.engine.log_lines import LogLine
from workers.engine.logs import ContainerLogs
from workers.engine.project_containers import project_containers
from workers.runtime.context import JobContext, ReadJob


class ReadLogs(ReadJob):
    """Both streams, merged by time."""

    kind = "logs"

    def read(self, context: JobContext) -> dict[str, Any]:
        """The lines with their timestamps, fit to be shown."""
        found = project_containers(context.containers, context.project)
        wanted = context.request.args.get("container")
        container = found.named(wanted) if wanted else found.main()
        context.hide(secret_values(context.containers.inspect(container.id).environment))
        tail = ContainerLogs(context.engine, context.containers).tail(
            container.id, context.request.args["lines"]
        )
        lines = [_shown(context, line) for line in tail.lines]
        notices = []
        if tail.cut:
            notices.append(f"{tail.cut} older lines are left out: they are too large to send.")
        return {
            "container": container.name,
            "count": len(lines),
            "lines": lines,
            "notices": notices,
        }


def _shown(context: JobContext, line: LogLine) -> str:
    return f"[{line.time:%Y-%m-%d %H:%M:%S}] {context.text(line.text)}"


HANDLER = ReadLogs()
