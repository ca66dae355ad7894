"""`/docker_stats`: resource usage of the containers, now or over a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from marshmallow import fields

from scar.commands.arguments import NoArguments, pattern
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import counted, size, title, uptime
from scar.commands.usage_picture import sparkline, usage_picture
from scar.document import Document
from scar.jobs.record import Job
from scar.jobs.results.json_record import present
from scar.jobs.results.stats import ContainerUsage, StatsResult, UsageHistory, UsageSeries
from scar.jobs.time_span import TIME_SPAN
from scar.projects import Project, ProjectsFile

_LOOKS_LIKE_TIME = re.compile(r"\d+\w*\Z")
_IS_TIME = re.compile(rf"(?:{TIME_SPAN})\Z")


def time_field() -> fields.String:
    """Return the field of the time that is asked for."""
    return fields.String(
        validate=pattern(TIME_SPAN, "a time from 5m to 24h, such as 6h"),
        metadata={"description": "Over which time, such as `30m` or `6h`"},
    )


class StatsArguments(NoArguments):
    """The time span of the figures; without one, only the present figures."""

    since = time_field()


class StatsCommand(JobCommand):
    """Shows CPU, memory, network and disk usage of each container, one paragraph each; with a time,
    a picture over it.
    """

    word = "docker_stats"
    kind = "stats"
    schema = StatsArguments
    usage = "[project] [6h]"
    summary = "CPU, memory, network and disk of each container"
    examples = ("", "shop", "6h", "shop 30m")
    rank = 12

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse the words, such as `shop 6h`, `6h shop`, `6h` or none."""
        if len(words) > 2:
            raise self.misuse(f"/{self.word} takes a project and a time, not {len(words)} words")
        known = projects.projects
        times = [w for w in words if _LOOKS_LIKE_TIME.match(w) and w not in known]
        names = [word for word in words if word not in times]
        if len(times) > 1 or len(names) > 1:
            raise self.misuse("A project and a time, once each")
        project = projects.get(names[0]) if names else default()
        return Invocation(project, {"since": self._time(times[0])} if times else {})

    def _time(self, word: str) -> str:
        if _IS_TIME.match(word.lower()):
            return word.lower()
        guess = f"{word}h"
        suggestion = f" Did you mean '{guess}'?" if _IS_TIME.match(guess) else ""
        raise self.misuse(f"'{word[:16]}' is not a time from 5m to 24h.{suggestion}")

    def view(self, job: Job) -> Document:
        return without_result(job, "📈 Measuring...", "Stats failed") or _usage(
            job.read_result(StatsResult), str(job.request.args.get("since", ""))
        )


def _usage(result: StatsResult, since: str) -> Document:
    history = present(result.history)
    over = f", last {since}" if history else ""
    lines = [f"📈 {title(result.project)} - Container Stats{over}"]
    series = {row.name: row for row in history.containers} if history else {}
    for container in result.containers:
        lines += ["", *_container_lines(container, series.get(container.name))]
    if not result.containers:
        lines += ["", "No container runs."]
    if history is None:
        return Document.of("\n".join(lines))
    lines += ["", *_history_lines(history)]
    picture = usage_picture(result.project, history) if history.containers else None
    return Document.of("\n".join(lines)).with_picture(picture)


def _history_lines(history: UsageHistory) -> list[str]:
    if not history.containers:
        return ["Nothing was measured in this time yet: the first figures take half a minute."]
    marks = [mark.kind for mark in history.marks]
    counts = [counted(marks.count(kind), kind) for kind in dict.fromkeys(marks)]
    meanwhile = [f"🚀 Meanwhile: {', '.join(counts)}"] if counts else []
    return [*meanwhile, *_young_line(history)]


def _young_line(history: UsageHistory) -> list[str]:
    """Say how little there is yet, where nothing was measured in the first half of the time."""
    steps = len(history.containers[0].cpu)
    firsts = [
        next((n for n, value in enumerate(row.cpu) if value is not None), steps)
        for row in history.containers
    ]
    if (first := min(firsts)) <= steps // 2:
        return []
    measured = uptime((steps - first) * history.step_seconds)
    return [f"💡 Measured for {measured} so far: there are no figures of the time before."]


def _container_lines(row: ContainerUsage, series: UsageSeries | None) -> list[str]:
    cpu, memory = f"{row.cpu_percent}%", f"{size(row.memory)} of {size(row.memory_limit)}"
    lines = [
        row.name,
        f"🧮 CPU: {cpu}",
        f"🧠 Memory: {memory}",
        f"🌐 Network: {size(row.network_received)} in, {size(row.network_sent)} out",
        f"💽 Disk: {size(row.disk_read)} read, {size(row.disk_written)} written",
    ]
    if series is not None:
        lines[1] += f" {sparkline(series.cpu)} {_range(series.cpu, lambda v: f'{v:.1f}%')}"
        lines[2] += f" {sparkline(series.memory)} {_range(series.memory, lambda v: size(int(v)))}"
    return lines


def _range(values: Sequence[float | None], shown: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    return f"{shown(min(known))} – {shown(max(known))}" if known else ""


COMMAND = StatsCommand()
