"""The watcher's state of one container: its recent events, and when to look at it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from scar.errors import ScarError
from scar.projects import Project
from workers.engine.container import ContainerDetails
from workers.engine.containers import Containers
from workers.engine.events import EngineEvent
from workers.state.roster import MOST_DEATHS, Death, Member, Roster
from workers.watch.observer import ContainerView

_TELLING = frozenset(("1", "10", "12"))
"""Signals that usually make a program reload its settings or reopen its log, and do not end it:
SIGHUP, SIGUSR1 and SIGUSR2.
"""


class ContainerWatch:
    """A container, known by its name: one that replaces it under the same name is the same here.

    `due` is when to look at it, by the clock `monotonic`; None where nothing has happened. `asked`
    says that somebody had it stopped or killed since it started last. `deaths` are those that an
    earlier watcher has seen.
    """

    def __init__(
        self,
        name: str,
        containers: Containers,
        monotonic: Callable[[], float],
        wall: Callable[[], float] = time.time,
        deaths: Iterable[Death] = (),
    ) -> None:
        self.name = name
        self.due: float | None = None
        self.asked = False
        self._asked_at = 0.0
        self._containers = containers
        self._monotonic = monotonic
        self._wall = wall
        self._deaths: deque[Death] = deque(deaths, maxlen=MOST_DEATHS)
        self._ran_out: set[str] = set()
        self._started = False
        self._after_job = False
        self._own = False

    @property
    def deaths(self) -> tuple[Death, ...]:
        """The latest ends, oldest first."""
        return tuple(self._deaths)

    def look_in(self, seconds: float) -> None:
        """Schedule a look in `seconds`, unless an earlier one is due."""
        at = self._monotonic() + seconds
        self.due = at if self.due is None else min(self.due, at)

    def wait_for_job(self, seconds: float) -> None:
        """Postpone the look, because a job of SCAR is changing the project."""
        self.due = self._monotonic() + seconds
        self._after_job = self._own = True

    def wait_after_job(self, seconds: float) -> bool:
        """Postpone the look once more if a job has just ended; return whether it was postponed."""
        if not self._after_job:
            return False
        self.due = self._monotonic() + seconds
        self._after_job = False
        return True

    def note(self, event: EngineEvent, *, own: bool) -> None:
        """Record an event; `own` says that a job of SCAR has probably caused it."""
        self._own = self._own or own
        if event.action == "start":
            self.asked, self._started = False, True
            self._ran_out.discard(event.id)
        elif event.action == "stop" or (event.action == "kill" and event.signal not in _TELLING):
            self.asked = self.asked or not own
            self._asked_at = event.at
        elif event.action == "oom":
            self._ran_out.add(event.id)
        elif event.action == "die" and not (own or self.asked):
            self._deaths.append(self._death(event))

    def view(self, project: Project, containers: Containers, roster: Roster) -> ContainerView:
        """Look at the container, and record its state in the roster."""
        before = roster.of(project.name).get(self.name)
        row = None
        rows = containers.of_project(project.compose_project, project.containers)
        row = next((row for row in rows if row.name == self.name), None)
        details = self._inspect(row.id) if row else None
        service = row.service if row else before.service if before else ""
        expected, runs = before is not None, before is not None and before.runs
        if details is not None:
            self.note_start(details)
            runs = self._is_to_run(details, before)
            roster.put(project.name, self.name, Member(service, runs, self.deaths))
        elif self._own or (service and any(row.service == service for row in rows)):
            roster.drop(project.name, self.name)  # removed or replaced
            expected = False
        self._own = False
        return ContainerView(
            project=project,
            name=self.name,
            service=service,
            details=details,
            expected=expected,
            is_to_run=runs,
            asked=self.asked,
            deaths=self.deaths,
            at=self._wall(),
        )

    def note_start(self, details: ContainerDetails) -> None:
        """Record a start without an event: an Engine that starts begins with its containers before
        it sends events.
        """
        started = details.started_at
        if details.state == "running" and started and started.timestamp() > self._asked_at:
            self.asked = False

    def _is_to_run(self, details: ContainerDetails, before: Member | None) -> bool:
        """Return whether the container runs or has run while it was watched. One that had ended
        before it was first seen may have been stopped for a year.
        """
        up = details.state in ("running", "paused", "restarting")
        return up or self._started or (before is not None and before.runs)

    def _inspect(self, id: str) -> ContainerDetails | None:
        try:
            return self._containers.inspect(id)
        except ScarError as error:
            if error.code != "container_not_found":
                raise
            return None

    def _death(self, event: EngineEvent) -> Death:
        """Inspect the container at once to see whether it ran out of memory, which the Engine
        forgets at the next start.
        """
        out_of_memory = event.id in self._ran_out
        with suppress(ScarError):
            details = self._inspect(event.id)
            out_of_memory = out_of_memory or bool(details and details.oom_killed)
        return Death(event.at, event.exit_code or 0, out_of_memory)
