"""Opens, changes and closes the alerts of this host."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from scar.alerts.alert import CRITICAL, Alert
from scar.errors import ScarError
from scar.jobs.job_id import new_job_id
from scar.projects import Project
from workers.watch.observer import ContainerView, QuietObserver
from workers.watch.rules.judge import judge
from workers.watch.rules.problem import Problem

STEADY_LOOKS = 12
"""A container counts as steady again after so many times the second look: a minute, with 5 s."""

_LEAST_GROUP_SECONDS = 2.0
_Thing = tuple[str, str]


class Publisher(Protocol):
    """Writes alerts to where others read them, in a thread of its own."""

    def load(self) -> list[Alert]:
        """Return the alerts of this host that have not recovered."""

    def publish(self, alert: Alert, project: Project | None, container_id: str = "") -> None:
        """Write an alert soon, with the last log lines of the container."""


class AlertKeeper(QuietObserver):
    """One alert for each container at a time: where another rule says what is wrong, it changes.

    Alerts that begin within two looks of each other are one group: the Engine, the disk or the
    network of a host takes several containers along.
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

    def engine_back(self) -> None:
        """Close the alert of the Engine. At the start, take up the alerts that are open."""
        if self._open is None:
            alerts = self._publisher.load()
            self._open = {_thing_of(alert): alert for alert in alerts}
        self.settle_host("engine_away", None)

    def engine_lost(self, error: ScarError) -> None:
        """Open the alert of the Engine."""
        what = "has a Docker Engine that does not answer"
        why = f"{error.message}. {error.hint}"
        self.settle_host("engine_away", Problem("engine_away", CRITICAL, what, why))

    def looked(self, view: ContainerView) -> float | None:
        """Open, change or close the container's alert."""
        problem = judge(view, steady_seconds=self._steady_seconds)
        thing = view.project.name, view.name
        alert = self._alerts.get(thing)
        if problem is None:
            self._close(thing)
            return None
        id = view.details.id if view.details else ""
        if alert is None:
            alert = self._new(problem, view.project.name, view.name, view.service)
            self._put(thing, alert, view.project, id)
        elif _differs(alert, problem):
            self._put(thing, self._changed(alert, problem), view.project, id)
        return self._next_look(view)

    def settle_host(self, rule: str, problem: Problem | None) -> None:
        """Open, change or close an alert of the host itself."""
        thing = "", rule
        alert = self._alerts.get(thing)
        if problem is None:
            self._close(thing)
        elif alert is None:
            self._put(thing, self._new(problem, "", "", ""), None)
        elif _differs(alert, problem):
            self._put(thing, self._changed(alert, problem), None)

    @property
    def _alerts(self) -> dict[_Thing, Alert]:
        if self._open is None:  # an Engine that was away from the start
            self._open = {_thing_of(alert): alert for alert in self._publisher.load()}
        return self._open

    def _next_look(self, view: ContainerView) -> float | None:
        """What has only to stay well for a while tells of it by no event."""
        if view.details is None or view.details.state != "running" or not view.deaths:
            return None
        left = view.deaths[-1].at + self._steady_seconds - view.at
        return max(left, 0.0) + 0.1

    def _new(self, problem: Problem, project: str, container: str, service: str) -> Alert:
        now = self._wall()
        id = new_job_id(now)
        group, since = self._group
        if not group or now - since > self._group_seconds:
            group, since = id, now
            self._group = group, since
        return Alert(
            id=id,
            group=group,
            host=self._host,
            project=project,
            container=container,
            service=service,
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


def _thing_of(alert: Alert) -> _Thing:
    return (alert.project, alert.container) if alert.container else ("", alert.rule)


def _differs(alert: Alert, problem: Problem) -> bool:
    told = alert.rule, alert.severity, alert.what, alert.count
    return told != (problem.rule, problem.severity, problem.what, problem.count)
