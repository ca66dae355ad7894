"""Alerts about hosts without a worker. No worker of such a host can write the alert, so each
front-end that sends alerts reads the heartbeats itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from redis import Redis

from scar.alerts.alert import CRITICAL, HOST_AWAY, Alert
from scar.redis_client import redis_errors, redis_time_ms

AWAY_SECONDS = 30.0
"""How long a host may have no heartbeat. A restart of its worker takes less."""

_GAP_SECONDS = 15.0
"""After a pause of this length between two looks (Redis was down, or this machine slept), the time
of each host is counted anew, since its worker could not reach Redis either.
"""

_PREFIX = "away"
_GROUP = re.compile(rf"{_PREFIX}-[0-9a-f]{{1,11}}-.+", re.DOTALL)
_DAY_MS = 86_400_000
_ID_LENGTH = 44
"""A Telegram button carries at most 64 bytes: this id and the button's name."""


class HostsAway:
    """Finds hosts that have no heartbeat, and remembers since when.

    A host counts as away only after this process has looked for `seconds` without a pause, because
    heartbeats from before a restart of all of SCAR are always old. `clock_ms` is by default Redis'
    clock, by which heartbeats are dated.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        clock_ms: Callable[[], int] | None = None,
        seconds: float = AWAY_SECONDS,
    ) -> None:
        self._redis = redis
        self._clock_ms = clock_ms or partial(redis_time_ms, redis)
        self._seconds = seconds
        self._since: dict[str, int] = {}
        self._began = self._looked = 0
        self._alerts: dict[str, Alert] = {}

    def look(self, hosts: Iterable[str], told: Iterable[str]) -> tuple[Alert, ...]:
        """Return the alerts of the hosts that are away, and of those that have come back.

        `told` are the open groups of alerts that were already sent, perhaps by an earlier process.
        """
        now = self._clock_ms()
        if now - self._looked > _GAP_SECONDS * 1000:
            self._began = now
        self._looked = now
        by_host = {host_part(group): group for group in told if _GROUP.fullmatch(group)}
        for host, alive_until in self._heartbeats(set(hosts), now).items():
            alert = self._alerts.get(host) or self._told_before(host, by_host, now)
            if alive_until > now:
                self._since.pop(host, None)
                if alert is not None and alert.is_open:
                    self._alerts[host] = replace(alert, version=2, closed_at=now, changed_at=now)
                continue
            since = self._since.setdefault(host, alive_until or now)
            if alert is not None and alert.is_open:
                self._alerts[host] = alert
            elif now - max(since, self._began) >= self._seconds * 1000:
                self._alerts[host] = _alert(host, since)
        return tuple(self._alerts.values())

    def silent(self, hosts: Iterable[str]) -> list[str]:
        """Return the hosts that have no live worker now, and so are not watched."""
        now = self._clock_ms()
        return [name for name, until in self._heartbeats(set(hosts), now).items() if until <= now]

    def _told_before(self, host: str, by_host: dict[str, str], now: int) -> Alert | None:
        group = by_host.get(host_part(_id(host, now)))
        return replace(_alert(host, _since(group)), id=group, group=group) if group else None

    def _heartbeats(self, hosts: set[str], now: int) -> dict[str, int]:
        """Return until when each host's workers count as alive, in milliseconds; 0 if unknown."""
        names = sorted(hosts)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                key, latest = f"scar:workers:{name}", now + _DAY_MS
                # No worker writes a heartbeat that expires in more than a day.
                pipe.zrevrangebyscore(key, latest, 0, start=0, num=1, withscores=True)
            rows = pipe.execute() if names else []
        return {name: int(row[0][1]) if row else 0 for name, row in zip(names, rows, strict=True)}


def host_part(group: str) -> str:
    """Return the part of a group's id that is derived from its host."""
    return group.split("-", 2)[-1]


def _alert(host: str, since: int) -> Alert:
    id = _id(host, since)
    return Alert(
        id=id,
        group=id,
        host=host,
        project="",
        container="",
        service="",
        rule=HOST_AWAY,
        severity=CRITICAL,
        what="is away",
        why="No worker of it gives a sign of life: the machine, its network or the worker is down.",
        opened_at=since,
        changed_at=since,
    )


def _id(host: str, since: int) -> str:
    return f"{_PREFIX}-{since:x}-{host}"[:_ID_LENGTH]


def _since(group: str) -> int:
    return int(group.split("-", 2)[1], 16)
