"""The last lines of a container's log."""

from __future__ import annotations

from typing import Any

from scar.redaction import secret_values
from workers.engine.logs import LogLine, Logs
from workers.managed import managed
from workers.work import Fact, Task


class ReadLogs(Fact):
    """Both streams, merged by time."""

    kind = "logs"

    def read(self, task: Task) -> dict[str, Any]:
        """The lines with their timestamps, fit to be shown."""
        found = managed(task.containers, task.project)
        wanted = task.request.args.get("container")
        container = found.named(wanted) if wanted else found.main()
        task.hide(secret_values(task.containers.inspect(container.id).environment))
        tail = Logs(task.engine, task.containers).tail(container.id, task.request.args["lines"])
        lines = [_shown(task, line) for line in tail.lines]
        notices = []
        if tail.cut:
            notices.append(f"{tail.cut} older lines are left out: they are too large to send.")
        return {
            "container": container.name,
            "count": len(lines),
            "lines": lines,
            "notices": notices,
        }


def _shown(task: Task, line: LogLine) -> str:
    return f"[{line.time:%Y-%m-%d %H:%M:%S}] {task.text(line.text)}"


WORK = ReadLogs()
