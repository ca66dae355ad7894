"""Reads and writes the mutes on Redis, each signed by its chat's front-end or the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

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
        """Mute a project or container in a chat, as `add_to_all` does."""
        (mute,) = self.add_to_all(
            actor, (chat,), project, container, seconds=seconds, alerts=alerts
        )
        return mute

    def add_to_all(
        self,
        actor: Actor,
        chats: Collection[str],
        project: str,
        container: str = "",
        *,
        seconds: float | None = None,
        alerts: Iterable[str] = (),
    ) -> list[Mute]:
        """Mute a project or container in some chats: for `seconds`, until the `alerts` (their ids)
        have recovered, or without an end.

        It replaces the mutes of the same thing in these chats. Raises `conflict` if there are too
        many; no chat is muted then.
        """
        _require_short(*chats, container)
        now = int(self._clock() * 1000)
        mute = Mute(
            id="",
            chat="",
            project=project,
            container=container,
            by=actor.key,
            name=actor.name[:LONGEST_NAME],
            since=now,
            until=None if seconds is None else now + int(seconds * 1000),
            alerts=tuple(alerts),
        )
        mutes = [replace(mute, id=new_job_id(self._clock()), chat=chat) for chat in chats]
        known, replaced = self.all(), {(mute.chat, mute.thing) for mute in mutes}
        kept = [
            m
            for m in known
            if (m.chat, m.thing) not in replaced and (m.until is None or m.until > now)
        ]
        _require_room(kept, actor, len(mutes))
        self._records.change(mutes, [m.id for m in known if m not in kept])
        return mutes

    def remove(self, mutes: Iterable[Mute]) -> None:
        """Remove mutes."""
        ids = [mute.id for mute in mutes]
        if ids:
            self._records.change([], ids)

    def all(self) -> list[Mute]:
        """Return every mute with a valid signature, oldest first."""
        return sorted(self._records.all(), key=lambda mute: mute.id)


def _require_short(*names: str) -> None:
    if max(map(len, names)) > LONGEST_NAME:
        raise ScarError(
            "invalid_request", "That name is too long", "Use the one of /docker_status."
        )


def _require_room(mutes: list[Mute], actor: Actor, more: int) -> None:
    own = sum(mute.by == actor.key for mute in mutes)
    of_one = own + more > MOST_OF_ONE
    if of_one or len(mutes) + more > MOST:
        what = f"{MOST_OF_ONE} of your own" if of_one else f"{MOST}"
        raise ScarError(
            "conflict",
            f"At most {what} mutes hold at a time, and this would be one too many",
            "End some first: /docker_alerts list shows them, /docker_alerts PROJECT on ends them.",
        )
