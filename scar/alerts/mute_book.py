"""The mutes on Redis, each signed by the front-end where somebody has set it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import cast

from redis import Redis

from scar.access import Actor
from scar.alerts.alert import Alert
from scar.alerts.alert_book import CHANGES
from scar.alerts.mute import Mute
from scar.errors import ScarError
from scar.jobs.job_id import new_job_id
from scar.jobs.signing import Signatures
from scar.keys.key_store import API
from scar.redis_client import redis_errors

MOST = 500
MOST_OF_ONE = 50
LONGEST_NAME = 100
_KEY = "scar:alerts:mutes"


class MuteBook:
    """The hash of mutes, by id. At most 500 hold at a time, 50 of one person."""

    def __init__(
        self, redis: Redis, signatures: Signatures, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._signatures = signatures
        self._clock = clock

    def add(
        self,
        actor: Actor,
        chat: str,
        project: str,
        container: str = "",
        *,
        seconds: float | None = None,
        alerts: Iterable[Alert] = (),
    ) -> Mute:
        """Mute a thing in a chat: for `seconds`, until the `alerts` have recovered, or for good.

        It takes the place of a mute of the same thing there. Raises `conflict` where there are too
        many.
        """
        if max(len(chat), len(container)) > LONGEST_NAME:
            raise ScarError(
                "invalid_request", "That name is too long", "Use the one of /docker_status."
            )
        now = int(self._clock() * 1000)
        mute = Mute(
            id=new_job_id(self._clock()),
            chat=chat,
            project=project,
            container=container,
            by=actor.key,
            name=actor.name[:LONGEST_NAME],
            since=now,
            until=None if seconds is None else now + int(seconds * 1000),
            alerts=tuple(alert.id for alert in alerts),
        )
        known = self.all()
        same = [m for m in known if (m.chat, m.thing) == (chat, mute.thing)]
        kept = [m for m in known if m not in same and (m.until is None or m.until > now)]
        _require_room(kept, actor)
        self._write(mute, drop=[m.id for m in known if m not in kept])
        return mute

    def remove(self, mutes: Iterable[Mute]) -> None:
        """Remove mutes."""
        ids = [mute.id for mute in mutes]
        if ids:
            with redis_errors():
                pipe = self._redis.pipeline()
                pipe.hdel(_KEY, *ids)
                pipe.incr(CHANGES)
                pipe.execute()

    def all(self) -> list[Mute]:
        """Return every mute, oldest first; those that nobody has signed who may are left out."""
        with redis_errors():
            rows = cast("dict[str, str]", self._redis.hgetall(_KEY))
        mutes = [mute for id, sealed in rows.items() if (mute := self._read(id, sealed))]
        return sorted(mutes, key=lambda mute: mute.id)

    def _write(self, mute: Mute, drop: list[str]) -> None:
        sealed = self._signatures.seal("mute", mute.to_json())
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.hset(_KEY, mute.id, sealed)
            if drop:
                pipe.hdel(_KEY, *drop)
            pipe.incr(CHANGES)
            pipe.execute()

    def _read(self, id: str, sealed: str) -> Mute | None:
        try:
            opened = self._signatures.open("mute", sealed)
            mute = Mute.from_json(opened.content) if opened else None
        except (ScarError, TypeError, ValueError):
            return None
        if opened is None or mute is None or mute.id != id:
            return None
        front_end = mute.chat.partition(":")[0]
        may = opened.signer.part == API or opened.signer.speaks_for(front_end)
        return mute if may else None


def _require_room(mutes: list[Mute], actor: Actor) -> None:
    own = sum(mute.by == actor.key for mute in mutes)
    if len(mutes) >= MOST or own >= MOST_OF_ONE:
        what = f"{MOST_OF_ONE} of your own" if own >= MOST_OF_ONE else f"{MOST}"
        raise ScarError(
            "conflict",
            f"There are {what} mutes already",
            "End some first: /docker_alerts list shows them, /docker_alerts PROJECT on ends them.",
        )
