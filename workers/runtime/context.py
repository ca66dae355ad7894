"""What a kind of job is to a worker: a fact that is read, or an operation that changes things."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import structlog

from scar.errors import ScarError
from scar.jobs.locks import Locks
from scar.jobs.record import JobState
from scar.jobs.request import Request
from scar.jobs.step import Progress, Step, StepState
from scar.projects import Project
from scar.redaction import clean, mask, secret_values
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.runtime.project_secrets import project_secrets
from workers.runtime.reporter import JobReporter

_MOST_OUTPUT = 5000
_log = structlog.get_logger(__name__)
_PROGRESS_EVERY = 0.1


@dataclass(frozen=True)
class Outcome:
    """How an operation ended."""

    state: JobState
    result: Mapping[str, Any] | None = None
    error: ScarError | None = None


class JobContext:
    """One job in the hands of this worker: whose it is, and how it tells what it does.

    `attempt` counts from 1; `begun_at` is when the first one began, in seconds since the epoch, and
    `resumed` whether there was one before this, as this host's own disk knows.
    `secrets` are the values that are masked wherever they turn up in what it tells.
    """

    def __init__(
        self,
        request: Request,
        project: Project | None,
        settings: Settings,
        engine: Engine,
        containers: Containers,
        reporter: JobReporter,
        locks: Locks,
        *,
        attempt: int = 1,
        begun_at: float = 0.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.request = request
        self._project = project
        self.settings = settings
        self.engine = engine
        self.containers = containers
        self.reporter = reporter
        self.locks = locks
        self.attempt = attempt
        self.begun_at = begun_at
        self.resumed = False
        self.wall = wall
        self.secrets = settings.secret_values()
        if project:
            self.hide(project_secrets(project))
        self._steps: list[Step] = []
        self._output = 0

    @property
    def project(self) -> Project:
        """What it is for; not to be asked for by a kind that is of no project."""
        assert self._project is not None
        return self._project

    @property
    def holder(self) -> str:
        """What it is called where something is held for it."""
        who = self.request.requested_by
        return f"{self.request.kind} {self.request.id} of {who.name} ({who.frontend})"

    @property
    def folder(self) -> Path:
        """Where this host keeps what it knows of the project."""
        return self.settings.state_dir / "projects" / self.project.name

    def check(self) -> None:
        """Before each side effect: raises where the job was cancelled or is another's by now."""
        self.reporter.check()

    def text(self, raw: str) -> str:
        """Text from outside, fit to be shown."""
        return mask(clean(raw), self.secrets)

    def hide(self, values: Iterable[str]) -> None:
        """Further values that are masked from here on."""
        self.secrets = (*self.secrets, *values)

    def foreseen(self, error: Exception) -> ScarError:
        """The error itself if it is one that a person can read; else it goes to the log, and what
        can be said of it is returned: a job ends with the truth, never with silence."""
        if isinstance(error, ScarError):
            return error
        _log.error("job failed unexpectedly", job=self.request.id, exc_info=error)
        return ScarError(
            "internal",
            f"{type(error).__name__} while doing {self.request.kind}",
            f"SCAR's log has the details under job {self.request.id}. Please reporter this.",
        )

    def told(self, error: ScarError) -> ScarError:
        """The error as it may be shown: it can hold log lines and the words of other programs."""
        if error.lines:
            self._hide_environments()
        lines = tuple(self.text(line) for line in error.lines)
        return ScarError(error.code, self.text(error.message), self.text(error.hint), lines=lines)

    def _hide_environments(self) -> None:
        """What a container says last may well be what it was given."""
        project = self._project
        if project is None:
            return
        try:
            for found in self.containers.of_project(project.compose_project, project.containers):
                self.hide(secret_values(self.containers.inspect(found.id).environment))
        except ScarError as error:
            _log.warning("not every secret is known", reason=error.message)

    def output(self, line: str, *, endless: bool = False) -> None:
        """A line of build or log output. Of a build's too many the rest is not told: an error
        brings its last lines."""
        self._output += 1
        if endless or self._output <= _MOST_OUTPUT:
            self.reporter.emit("output", {"line": self.text(line)})
        elif self._output == _MOST_OUTPUT + 1:
            self.reporter.emit("output", {"line": f"… more than {_MOST_OUTPUT} lines, not shown"})

    def announce(self, *steps: tuple[str, str]) -> None:
        """Names the steps (name, title) that are to come."""
        for name, title in steps:
            self._set(Step(name, title))

    @contextmanager
    def step(self, name: str, title: str, *, detail: str | None = None) -> Iterator[StepInHand]:
        """A step that runs while the block does, and fails with it."""
        self._set(Step(name, title, StepState.RUNNING, self._now(), detail=detail))
        hand = StepInHand(self, name)
        try:
            yield hand
        except BaseException:
            self._end(name, StepState.FAILED)
            raise
        self._end(name, StepState.SKIPPED if hand.skipped else StepState.SUCCEEDED)

    def take_up(self, steps: tuple[Step, ...]) -> None:
        """Goes on from the steps of an attempt that was cut off: what ran then has failed."""
        for step in steps:
            if step.state is StepState.RUNNING:
                self._set(replace(step, state=StepState.FAILED, finished_at=self._now()))
            else:
                self._keep(step)

    def skip(self, name: str) -> None:
        """A step that does not apply."""
        self._end(name, StepState.SKIPPED)

    def found(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self._steps if step.name == name)

    def set_progress(self, name: str, progress: Progress) -> None:
        """Keeps and tells how far a step is."""
        self._keep(replace(self.found(name), progress=progress))
        self.reporter.progress(name, progress)

    def set_detail(self, name: str, detail: str) -> None:
        """Says more about a step."""
        self._set(replace(self.found(name), detail=self.text(detail)))

    def _now(self) -> int:
        return int(self.wall() * 1000)

    def _end(self, name: str, state: StepState) -> None:
        self._set(replace(self.found(name), state=state, finished_at=self._now()))

    def _keep(self, step: Step) -> None:
        for at, known in enumerate(self._steps):
            if known.name == step.name:
                self._steps[at] = step
                return
        self._steps.append(step)

    def _set(self, step: Step) -> None:
        self._keep(step)
        self.reporter.steps(tuple(self._steps), step)


@dataclass
class StepInHand:
    """A running step, to tell how far it is."""

    context: JobContext
    name: str
    skipped: bool = False
    _told_at: float = field(default=0.0, repr=False)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Tells at most ten times a second, and always the last of it."""
        now = time.monotonic()
        if done >= total or now - self._told_at >= _PROGRESS_EVERY:
            self._told_at = now
            self.context.set_progress(self.name, Progress(done, total, unit))

    def detail(self, text: str) -> None:
        """Says more about the step."""
        self.context.set_detail(self.name, text)


class ReadJob(ABC):
    """A kind that only reads."""

    kind: ClassVar[str]

    @abstractmethod
    def read(self, context: JobContext) -> dict[str, Any]:
        """The job's result. Raises `ScarError`."""


class WriteJob(ABC):
    """A kind that changes things, and asks before it does."""

    kind: ClassVar[str]

    @abstractmethod
    def plan(self, context: JobContext) -> dict[str, Any]:
        """What would be done, as the question shows it. `hash` stands for all that matters: a
        confirmation counts only while planning again gives the same one. Changes nothing."""

    @abstractmethod
    def run(self, context: JobContext, confirmed: str | None) -> Outcome:
        """Does it. `confirmed` is the hash of the plan that a person saw: where planning gives
        another one now, nothing is done and `PlanChanged` is raised. An attempt above the first
        finds what an earlier one left, and settles it."""


class PlanChanged(Exception):
    """The world is not what it was when the question was asked; `plan` is the new plan."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        super().__init__("the plan has changed")
        self.plan = plan
