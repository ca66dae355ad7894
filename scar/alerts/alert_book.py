"""The alerts on Redis, each signed by the worker of its host."""

from __future__ import annotations

import json
import re
from typing import cast

import structlog
from redis import Redis

from scar.alerts.alert import Alert
from scar.errors import ScarError
from scar.jobs.signing import Signatures
from scar.jobs.timestamp import moment
from scar.json_object import MALFORMED
from scar.redis_client import redis_errors

_KEY = "scar:alerts"
_ID = re.compile(r"[0-9A-Za-z]{1,26}")
CHANGES = "scar:alerts:changes"
KEPT_MS = 86_400_000
"""How long an alert is kept after it has recovered."""

_log = structlog.get_logger(__name__)


class AlertBook:
    """The hash of alerts, by id, and a counter that grows with each change of one."""

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures
        self._refused: set[str] = set()

    def put(self, alert: Alert) -> None:
        """Write an alert of this worker's host, or a change of it."""
        sealed = self._signatures.seal("alert", alert.to_json())
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.hset(_KEY, alert.id, sealed)
            pipe.incr(CHANGES)
            pipe.execute()

    def drop(self, id: str) -> None:
        """Remove an alert."""
        with redis_errors():
            self._redis.hdel(_KEY, id)

    def changes(self) -> str:
        """Return the counter of changes. If it is the same as before, no alert, mute or switch has
        changed.
        """
        with redis_errors():
            return str(self._redis.get(CHANGES) or "0")

    def all(self) -> list[Alert]:
        """Return every alert, oldest first; those that recovered lately too. One that the worker of
        its host has not signed is left out, and logged once.
        """
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(_KEY))
        self._refused &= rows.keys()  # else whoever writes there could fill this process's memory
        alerts = [alert for id, sealed in rows.items() if (alert := self._read(id, sealed))]
        return sorted(alerts, key=lambda alert: (alert.opened_at, alert.id))

    def get(self, id: str) -> Alert | None:
        """Return the alert with this id, None if there is none."""
        with redis_errors():
            sealed = cast("str | None", self._redis.hget(_KEY, id))
        return self._read(id, sealed) if sealed else None

    def drop_old(self, host: str, now: int) -> None:
        """Remove the alerts of a host that have recovered long ago. `now` is in milliseconds."""
        for alert in self.all():
            if alert.host == host and alert.closed_at and now - alert.closed_at > KEPT_MS:
                self.drop(alert.id)

    def _read(self, id: str, sealed: str) -> Alert | None:
        try:
            opened = self._signatures.open("alert", sealed)
            alert = Alert.from_json(opened.content) if opened else None
            if opened and alert:
                json.dumps(dict(opened.content), ensure_ascii=False).encode()  # no lone surrogates
                _require_sound(alert)
        except (ScarError, *MALFORMED):
            opened, alert = None, None
        if opened and alert and alert.id == id and opened.signer.works_for(alert.host):
            return alert
        if id not in self._refused:
            self._refused.add(id)
            _log.warning("alert refused: it is not signed by the worker of its host", alert=id[:40])
        return None


def _require_sound(alert: Alert) -> None:
    """Raise `ValueError` for ids or times that no worker writes. A valid signature proves only who
    wrote the alert, and the code that shows alerts relies on their form.
    """
    refs = [ref.at for ref in (alert.release, alert.rollback_to) if ref is not None]
    for at in (alert.opened_at, alert.changed_at, alert.closed_at or 0, *refs):
        moment(at)
    for id in (alert.id, alert.group):
        if _ID.fullmatch(id) is None:
            raise ValueError("that is no alert's id")
