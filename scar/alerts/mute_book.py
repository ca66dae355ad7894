"""Reads and writes the mutes on Redis, each signed by its chat's front-end or the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from redis import Redis

from scar.access import Actor
from scar.alerts.chat_records import ChatRecords
from scar.alerts.mute import Mute
from scar.errors import ScarError
from scar.jobs.job_id import new_job_id
from scar.jobs.signing import Signatures

MOST = 500
MOST_OF_ONE = 50
LONGEST_NAME = 100
_KEY = "scar:alerts:mutes"


class MuteBook:
    """The hash of mutes, by id. At most 500 hold at a time, 50 of one person."""

    def __init__(
        self, redis: Redis, signatures: Signatures, clock: Callable[[], float] = time.time
    ) -> None:
        self._records = ChatRecords(redis, signatures, _KEY, "mute", Mute, lambda mute: mute.id)
        self._clock = clock

    def add(
        self,
        actor: Actor,
        chat: str,
        project: str,
        container: str = "",
        *,
        seconds: float | None = None,
        alerts: Iterable[str] = (),
    ) -> Mute:
        """Mute a project or container in a chat: for `seconds`, until the `alerts` (their ids)
        have recovered, or without an end.

        It replaces a mute of the same thing in that chat. Raises `conflict` if there are too many.
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
            alerts=tuple(alerts),
        )
        known = self.all()
        same = [m for m in known if (m.chat, m.thing) == (chat, mute.thing)]
        kept = [m for m in known if m not in same and (m.until is None or m.until > now)]
        _require_room(kept, actor)
        self._records.change([mute], [m.id for m in known if m not in kept])
        return mute

    def remove(self, mutes: Iterable[Mute]) -> None:
        """Remove mutes."""
        ids = [mute.id for mute in mutes]
        if ids:
            self._records.change([], ids)

    def all(self) -> list[Mute]:
        """Return every mute with a valid signature, oldest first."""
        return sorted(self._records.all(), key=lambda mute: mute.id)


def _require_room(mutes: list[Mute], actor: Actor) -> None:
    own = sum(mute.by == actor.key for mute in mutes)
    if len(mutes) >= MOST or own >= MOST_OF_ONE:
        what = f"{MOST_OF_ONE} of your own" if own >= MOST_OF_ONE else f"{MOST}"
        raise ScarError(
            "conflict",
            f"There are {what} mutes already",
            "End some first: /docker_alerts list shows them, /docker_alerts PROJECT on ends them.",
        )
