"""Opens, changes and closes the alerts of this host."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from threading import Lock
from typing import NamedTuple, Protocol

from scar.alerts.alert import CRITICAL, Alert
from scar.errors import ScarError
from scar.jobs.job_id import new_job_id
from scar.projects import Project
from workers.watch.observer import ContainerView, QuietObserver
from workers.watch.rules.judge import judge
from workers.watch.rules.problem import Problem

STEADY_LOOKS = 12
"""After how many times the delay of the second look a container counts as steady again: a minute,
with a delay of 5 s.
"""

SETTLED = frozenset(("engine_away", "disk", "certificate"))
"""The rules that are not about the state of a container."""

_LEAST_GROUP_SECONDS = 2.0
_Thing = tuple[str, str]


class Subject(NamedTuple):
    """What an alert is about: a container of a project, or the host if both are empty."""

    project: str
    container: str
    service: str


HOST = Subject("", "", "")


class Publisher(Protocol):
    """Writes alerts for front-ends to read, in a separate thread."""

    def load(self) -> list[Alert]:
        """Return the alerts of this host that have not recovered."""

    def publish(self, alert: Alert, project: Project | None, container_id: str = "") -> None:
        """Write an alert soon, with the last log lines of the container."""


class AlertKeeper(QuietObserver):
    """Keeps one alert for each container; if another rule applies, the alert changes. Alerts that
    begin within two looks of each other form a group, since a failure of the Engine, a disk or the
    network affects several containers.
    """

    def __init__(
        self,
        host: str,
        publisher: Publisher,
        *,
        look_seconds: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._publisher = publisher
        self._steady_seconds = look_seconds * STEADY_LOOKS
        self._group_seconds = max(_LEAST_GROUP_SECONDS, 2 * look_seconds)
        self._wall = wall
        self._open: dict[_Thing, Alert] | None = None
        self._group = ("", 0.0)
        self._lock = Lock()

    def engine_back(self) -> None:
        """Close the alert of the Engine. At the start, load the open alerts."""
        self.settle("engine_away", {})

    def engine_lost(self, error: ScarError) -> None:
        """Open the alert of the Engine."""
        what = "has a Docker Engine that does not answer"
        why = f"{error.message}. {error.hint}"
        self.settle("engine_away", {HOST: Problem("engine_away", CRITICAL, what, why)})

    def looked(self, view: ContainerView) -> float | None:
        """Open, change or close the container's alert."""
        problem = judge(view, steady_seconds=self._steady_seconds)
        with self._lock:
            return self._keep(view, problem)

    def _keep(self, view: ContainerView, problem: Problem | None) -> float | None:
        thing = view.project.name, view.name
        alert = self._alerts.get(thing)
        if problem is None:
            if not _is_on_its_way(view):
                self._close(thing)
            return None
        id = view.details.id if view.details else ""
        if alert is None:
            alert = self._new(problem, Subject(view.project.name, view.name, view.service))
            self._put(thing, alert, view.project, id)
        elif _differs(alert, problem) and not _is_same_end(alert, problem, view):
            self._put(thing, self._changed(alert, problem), view.project, id)
        return self._next_look(view)

    def settle(
        self, rule: str, problems: Mapping[Subject, Problem], unknown: Collection[Subject] = ()
    ) -> None:
        """Open, change and close the alerts of a rule that is not about the state of containers:
        `problems` are all that there are now, but for the subjects that could not be looked at. Any
        thread may call this.
        """
        with self._lock:
            things = {_thing(subject, rule): subject for subject in problems}
            kept = {*things, *(_thing(subject, rule) for subject in unknown)}
            for thing, alert in list(self._alerts.items()):
                if alert.rule == rule and thing not in kept:
                    self._close(thing)
            for thing, subject in things.items():
                self._settle(thing, subject, problems[subject])

    def keep_only(self, projects: Collection[str]) -> None:
        """Close the alerts of projects that are no longer on this host. Any thread may call
        this.
        """
        with self._lock:
            for thing, alert in list(self._alerts.items()):
                if alert.project and alert.project not in projects:
                    self._close(thing)

    def _settle(self, thing: _Thing, subject: Subject, problem: Problem) -> None:
        known = self._alerts.get(thing)
        if known is None:
            self._put(thing, self._new(problem, subject), None)
        elif _differs(known, problem):
            self._put(thing, self._changed(known, problem), None)

    @property
    def _alerts(self) -> dict[_Thing, Alert]:
        if self._open is None:
            self._open = {_thing_of(alert): alert for alert in self._publisher.load()}
        return self._open

    def _next_look(self, view: ContainerView) -> float | None:
        """Return after how many seconds to look again at a container that has to keep running to
        recover, since no event shows that it has.
        """
        if view.details is None or view.details.state != "running" or not view.deaths:
            return None
        left = view.deaths[-1].at + self._steady_seconds - view.at
        return max(left, 0.0) + 0.1

    def _new(self, problem: Problem, subject: Subject) -> Alert:
        now = self._wall()
        id = new_job_id(now)
        group, since = self._group
        is_open = any(alert.group == group for alert in self._alerts.values())
        if not is_open or now - since > self._group_seconds:  # recovered groups are over
            group, since = id, now
            self._group = group, since
        return Alert(
            id=id,
            group=group,
            host=self._host,
            project=subject.project,
            container=subject.container,
            service=subject.service,
            rule=problem.rule,
            severity=problem.severity,
            what=problem.what,
            why=problem.why,
            opened_at=int(now * 1000),
            changed_at=int(now * 1000),
            count=problem.count,
        )

    def _changed(self, alert: Alert, problem: Problem) -> Alert:
        return replace(
            alert,
            rule=problem.rule,
            severity=problem.severity,
            what=problem.what,
            why=problem.why,
            count=problem.count,
            changed_at=int(self._wall() * 1000),
        )

    def _put(
        self, thing: _Thing, alert: Alert, project: Project | None, container_id: str = ""
    ) -> None:
        self._alerts[thing] = alert
        self._publisher.publish(alert, project, container_id)

    def _close(self, thing: _Thing) -> None:
        alert = self._alerts.pop(thing, None)
        if alert is not None:
            now = int(self._wall() * 1000)
            self._publisher.publish(replace(alert, closed_at=now, changed_at=now), None)


def _is_on_its_way(view: ContainerView) -> bool:
    """Return whether the container is in a transitional state, whose end an event will show."""
    details = view.details
    if details is None:
        return False
    return details.health == "starting" or details.state in ("created", "restarting", "removing")


def _is_same_end(alert: Alert, problem: Problem, view: ContainerView) -> bool:
    """Return whether the open alert is about this same end of the container. A watcher that was
    restarted since does not know whether a person had it stopped.
    """
    if view.details is None or not alert.rule == problem.rule == "exited":
        return False
    started = view.details.started_at
    return started is None or started.timestamp() * 1000 <= alert.opened_at


def _thing_of(alert: Alert) -> _Thing:
    if alert.rule in SETTLED:
        return _thing(Subject(alert.project, alert.container, alert.service), alert.rule)
    return alert.project, alert.container


def _thing(subject: Subject, rule: str) -> _Thing:
    return subject.project, f"{subject.container}#{rule}"


def _differs(alert: Alert, problem: Problem) -> bool:
    told = alert.rule, alert.severity, alert.what, alert.count
    return told != (problem.rule, problem.severity, problem.what, problem.count)
