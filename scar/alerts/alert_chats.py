"""Determines which chats get a project's alerts: those in the projects file, as changed by people
with `/docker_alerts on` and `off`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis import Redis

from scar.access import Access, Actor
from scar.alerts.chat_records import ChatRecords
from scar.errors import ScarError
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.signing import Signatures
from scar.projects import Project

_KEY = "scar:alerts:chats"
_MOST = 500


@dataclass(frozen=True)
class ChatSwitch(JsonRecord):
    """Somebody has switched a project's alerts on or off in a chat. `since` is in milliseconds."""

    project: str
    chat: str
    on: bool
    by: str
    since: int


class AlertChats:
    """The hash of switches on Redis, by project and chat, each signed by the chat's front-end or by
    the API.
    """

    def __init__(
        self, redis: Redis, signatures: Signatures, clock: Callable[[], float] = time.time
    ) -> None:
        self._records = ChatRecords(
            redis, signatures, _KEY, "alert_chat", ChatSwitch, lambda s: f"{s.project} {s.chat}"
        )
        self._clock = clock

    def switch(self, actor: Actor, project: Project, chat: str, *, on: bool) -> None:
        """Switch the alerts of a project on or off in a chat."""
        switches = self.switches()
        if len(switches) >= _MOST and (project.name, chat) not in switches:
            raise ScarError(
                "conflict",
                f"{_MOST} chats are switched already",
                "Name the chat under `alerts` in the projects file instead.",
            )
        now = int(self._clock() * 1000)
        switch = ChatSwitch(project.name, chat, on, actor.key, now)
        if on == (chat in project.alerts):
            self._records.change([], [f"{project.name} {chat}"])  # the projects file says the same
        else:
            self._records.change([switch], [])

    def switches(self) -> Mapping[tuple[str, str], ChatSwitch]:
        """Return the switches with a valid signature, by project and chat."""
        return {(switch.project, switch.chat): switch for switch in self._records.all()}


def chats_of(
    project: Project, switches: Mapping[tuple[str, str], ChatSwitch], access: Access
) -> tuple[str, ...]:
    """Return the chats that get a project's alerts."""
    own = [switch for (name, _), switch in switches.items() if name == project.name]
    off = {switch.chat for switch in own if not switch.on}
    on = (switch.chat for switch in own if switch.on and _counts(switch, project, access))
    return tuple(chat for chat in dict.fromkeys((*project.alerts, *on)) if chat not in off)


def _counts(switch: ChatSwitch, project: Project, access: Access) -> bool:
    """Return False for the private chat of a person who has no role on the project any more."""
    front_end, _, id = switch.by.partition(":")
    return switch.chat != switch.by or access.role_of(Actor(front_end, id, ""), project) is not None
