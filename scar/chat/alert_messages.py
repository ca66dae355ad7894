"""Determines which messages about alerts the chats of one front-end have to get."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from scar.alerts.alert import Alert
from scar.alerts.alert_chats import ChatSwitch, chats_of
from scar.alerts.hosts_away import HostsAway
from scar.alerts.mute import Mute
from scar.alerts.planner import AlertStep, plan
from scar.chat.alert_delivery import AlertDelivery
from scar.chat.alert_document import alert_document
from scar.chat.alert_places import chat_name
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage
from scar.chat.sender import Sender
from scar.errors import ScarError
from scar.projects import Project

_LOOK_SECONDS = 1.0
_HOSTS_SECONDS = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Known:
    """What Redis contained when it was last read."""

    changes: str
    alerts: tuple[Alert, ...]
    mutes: tuple[Mute, ...]
    switches: dict[tuple[str, str], ChatSwitch]


class AlertMessages:
    """Checks once a second whether an alert has changed (one read of a counter) or has to be
    repeated. A message that cannot be delivered is tried again. `everything` are chats that get the
    alerts of every project.
    """

    def __init__(
        self,
        context: ChatContext,
        sender: Sender,
        tasks: BackgroundTasks,
        everything: Sequence[str] = (),
    ) -> None:
        services = context.services
        self._context = context
        self._tasks = tasks
        self._everything = tuple(everything)
        self._desk = services.alerts
        self._name = context.front_end.name
        self._delivery = AlertDelivery(context, sender)
        self._hosts = HostsAway(services.redis)
        self._looked_at_hosts = 0.0
        self._away: tuple[Alert, ...] = ()
        self._known: _Known | None = None

    async def follow(self) -> None:
        """Send messages about alerts until cancelled."""
        while True:
            try:
                await self.look()
            except ScarError as error:
                _log.warning("not looked for alerts", reason=error.message)
            except Exception:  # noqa: BLE001 (without this task nobody is told of alerts)
                _log.exception("not looked for alerts")
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Start every message and edit that is due now."""
        known = await asyncio.to_thread(self._read_all)
        await self._delivery.save()
        if not (known.alerts or self._away or self._delivery.told):
            return
        for step in self._steps(known):
            if self._delivery.take(step):
                self._tasks.start(self._delivery.do(step))

    async def offer(self, incoming: IncomingMessage) -> str | None:
        """Return the command of a tapped button under a message about alerts, and mark the message
        as seen.
        """
        group = (incoming.tag or "").partition(":")[0]
        chat = chat_name(self._name, incoming.place)
        known = await asyncio.to_thread(self._read)
        alerts = [a for a in self._alerts_of(chat, known) if a.group == group]
        buttons = alert_document(alerts).buttons if alerts else ()
        command = next((b.command for b in buttons if b.answer == incoming.text), None)
        message = self._delivery.told.get((group, chat))
        if command and message and not message.seen:
            await self._delivery.store(replace(message, seen=True))
        return command

    def _read_all(self) -> _Known:
        """Read what has changed on Redis; every few seconds, read the hosts' heartbeats too."""
        known, now = self._read(), self._context.clock()
        if now - self._looked_at_hosts >= _HOSTS_SECONDS:
            self._looked_at_hosts = now
            open_groups = [m.group for m in self._delivery.told.values() if not m.closed]
            projects = self._context.services.projects.projects.values()
            hosts = {p.host for p in projects if self._own_chats(p, known)}
            self._away = self._hosts.look(hosts, open_groups)
        return known

    def _read(self) -> _Known:
        """Read alerts, mutes and switches, if the counter of changes has changed."""
        desk, known = self._desk, self._known
        self._delivery.load()
        changes = desk.book.changes()
        if known is None or known.changes != changes:
            alerts, mutes = tuple(desk.book.all()), tuple(desk.mutes.all())
            known = _Known(changes, alerts, mutes, dict(desk.chats.switches()))
            self._known = known
        return known

    def _steps(self, known: _Known) -> list[AlertStep]:
        now = self._context.clock()
        told = self._delivery.told
        chats = {chat for _, chat in told} | set(self._chats(known))
        quiet = self._context.services.settings.quiet_hours
        steps: list[AlertStep] = []
        for chat in sorted(chats):
            mutes = [mute for mute in known.mutes if mute.chat == chat]
            steps += plan(
                chat,
                self._alerts_of(chat, known),
                {group: m for (group, other), m in told.items() if other == chat},
                now=int(now * 1000),
                is_muted=lambda alert, mutes=mutes: _is_muted(alert, mutes, known, now),  # type: ignore[misc]
                is_quiet=quiet is not None and quiet.hold(now),
            )
        return steps

    def _chats(self, known: _Known) -> list[str]:
        projects = self._context.services.projects.projects.values()
        return [chat for project in projects for chat in self._own_chats(project, known)]

    def _own_chats(self, project: Project, known: _Known) -> list[str]:
        """Return the chats of this front-end that get a project's alerts."""
        chats = chats_of(project, known.switches, self._context.services.access)
        return [*self._everything, *(c for c in chats if c.startswith(f"{self._name}:"))]

    def _alerts_of(self, chat: str, known: _Known) -> list[Alert]:
        """Return the alerts for a chat: those of its projects and of their hosts."""
        projects = self._context.services.projects.projects.values()
        own = [project for project in projects if chat in self._own_chats(project, known)]
        by_name, hosts = {p.name: p for p in own}, {p.host for p in own}
        return [
            alert
            for alert in (*known.alerts, *self._away)
            if (alert.is_of(by_name.get(alert.project)) if alert.project else alert.host in hosts)
        ]


def _is_muted(alert: Alert, mutes: Sequence[Mute], known: _Known, now: float) -> bool:
    """Return whether a chat's mutes cover an alert; one until its recovery covers that too."""
    return any(
        mute.covers(alert) and (mute.until_recovery or mute.holds(int(now * 1000), known.alerts))
        for mute in mutes
    )
