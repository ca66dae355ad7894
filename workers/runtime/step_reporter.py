"""Reports a running job's steps, their progress, and the output of its commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from scar.jobs.step import Progress, Step, StepState
from scar.json_object import JsonObject
from workers.engine.text import shortened
from workers.runtime.masker import Masker
from workers.runtime.reporter import JobReporter

_MOST_OUTPUT = 5000
_PROGRESS_EVERY = 0.1


class StepReporter:
    """Keeps the steps in order, and reports each change. `wall` returns seconds since the epoch."""

    def __init__(self, reporter: JobReporter, masker: Masker, wall: Callable[[], float]) -> None:
        self._reporter = reporter
        self._masker = masker
        self._wall = wall
        self._steps: list[Step] = []
        self.durations: list[tuple[str, float]] = []
        """The name and the seconds of each step that this process has completed."""
        self._output = 0

    def announce(self, *steps: tuple[str, str]) -> None:
        """Report the steps (name, title) that will follow."""
        for name, title in steps:
            self._report(Step(name, title))

    @contextmanager
    def step(self, name: str, title: str, *, detail: str | None = None) -> Iterator[RunningStep]:
        """Report a step as running while the block runs, and as failed if the block raises."""
        self._report(Step(name, title, StepState.RUNNING, self._now(), detail=detail))
        running = RunningStep(self, name)
        try:
            yield running
        except BaseException:
            self._end(name, StepState.FAILED)
            raise
        self._end(name, StepState.SKIPPED if running.skipped else StepState.SUCCEEDED)

    def skip(self, name: str) -> None:
        """Report that an announced step is skipped."""
        self._end(name, StepState.SKIPPED)

    def resume(self, steps: tuple[Step, ...]) -> None:
        """Continue with the steps of an interrupted attempt; the step that was running then is
        reported as failed.
        """
        for step in steps:
            if step.state is StepState.RUNNING:
                self._report(replace(step, state=StepState.FAILED, finished_at=self._now()))
            else:
                self._keep(step)

    def set_progress(self, name: str, progress: Progress) -> None:
        """Report the progress of a step."""
        self._keep(replace(self._named(name), progress=progress))
        self._reporter.progress(name, progress)

    def set_detail(self, name: str, detail: str) -> None:
        """Report a new detail of a step."""
        self._report(replace(self._named(name), detail=self._masker.text(detail)))

    def output(self, line: str, *, stamp: str = "", endless: bool = False) -> None:
        """Report a line of build or log output, after `stamp`. Unless `endless`, lines after the
        5000th are dropped; an error contains the last lines.
        """
        self._output += 1
        if endless or self._output <= _MOST_OUTPUT:
            self._reporter.emit("output", {"line": stamp + shortened(self._masker.line(line))})
        elif self._output == _MOST_OUTPUT + 1:
            self._reporter.emit("output", {"line": f"… more than {_MOST_OUTPUT} lines, not shown"})

    def log_lines(self, lines: Iterable[str], position: JsonObject) -> None:
        """Report masked lines of a log, and the position behind them."""
        self._reporter.output([shortened(line) for line in lines], position)

    def await_room(self, seconds: float) -> bool:
        """Wait until little of what was reported is left to be written; return whether that is so
        in time. A job that reports without end would otherwise fill the memory while Redis is slow
        or away.
        """
        return self._reporter.await_room(seconds)

    def log_position(self, position: JsonObject) -> None:
        """Store the position at which to continue; it is written with the next event."""
        self._reporter.keep_position(position)

    def _now(self) -> int:
        return int(self._wall() * 1000)

    def _named(self, name: str) -> Step:
        return next(step for step in self._steps if step.name == name)

    def _end(self, name: str, state: StepState) -> None:
        ended = replace(self._named(name), state=state, finished_at=self._now())
        if ended.started_at is not None and state is not StepState.SKIPPED:
            self.durations.append((name, (self._now() - ended.started_at) / 1000))
        self._report(ended)

    def _keep(self, step: Step) -> None:
        for at, known in enumerate(self._steps):
            if known.name == step.name:
                self._steps[at] = step
                return
        self._steps.append(step)

    def _report(self, step: Step) -> None:
        self._keep(step)
        self._reporter.steps(tuple(self._steps), step)


@dataclass
class RunningStep:
    """A step in progress. Set `skipped` if it turns out that there is nothing to do."""

    steps: StepReporter
    name: str
    skipped: bool = False
    _reported_at: float = field(default=0.0, repr=False)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Report how much is done: at most ten times a second, and always when all is done."""
        now = time.monotonic()
        if done >= total or now - self._reported_at >= _PROGRESS_EVERY:
            self._reported_at = now
            self.steps.set_progress(self.name, Progress(done, total, unit))

    def detail(self, text: str) -> None:
        """Report a new detail of the step."""
        self.steps.set_detail(self.name, text)
