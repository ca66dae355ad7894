"""A mute: a chat gets no alerts of a project or a container, for a time or until they recover."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from scar.alerts.alert import HOST_AWAY, Alert
from scar.jobs.results.json_record import JsonRecord

_HOST = "host:"


def host_thing(host: str) -> str:
    """Return how a host is named where else a project is. No project's name has a colon."""
    return f"{_HOST}{host}"


def host_named(thing: str) -> str | None:
    """Return the host that `host:NAME` names; None for another name."""
    return thing.removeprefix(_HOST) if thing.startswith(_HOST) else None


@dataclass(frozen=True)
class Mute(JsonRecord):
    """A mute of one chat (`telegram:-100123/7`). Times are milliseconds since the epoch.

    Without a `container` it is for the whole project. For the alerts of a host itself `project` is
    `host:NAME`; the same among `alerts` stands for the alert of a host that is away, which no
    worker has written. With neither `until` nor `alerts` it does not expire.
    """

    id: str
    chat: str
    project: str
    container: str
    by: Annotated[str, "A person's key, such as `telegram:12345`"]
    name: Annotated[str, "The person's name"]
    since: int
    until: int | None = None
    alerts: Annotated[tuple[str, ...], "Until these alerts have recovered"] = ()

    @property
    def thing(self) -> str:
        """The muted project or container, as a command names it."""
        return f"{self.project}/{self.container}" if self.container else self.project

    @property
    def until_recovery(self) -> bool:
        """Whether the mute ends when its alerts have recovered."""
        return bool(self.alerts)

    def holds(self, now: int, alerts: Iterable[Alert]) -> bool:
        """Return whether the mute is still in force at `now`, given the present alerts."""
        if self.until is not None:
            return now < self.until
        if self.until_recovery:
            return any(alert.id in self.alerts and alert.is_open for alert in alerts)
        return True

    def covers(self, alert: Alert) -> bool:
        """Return whether the mute applies to the alert. A mute until recovery applies only to the
        alerts it was set for.
        """
        if self.until_recovery:
            was_away = alert.rule == HOST_AWAY and alert.opened_at <= self.since
            return alert.id in self.alerts or (was_away and host_thing(alert.host) in self.alerts)
        if not alert.project or alert.project != self.project:
            return False
        return self.container in ("", alert.container, alert.service)
