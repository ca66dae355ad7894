"""Tells the chats of one front-end of alerts: one message for each group, edited as it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from scar.alerts.alert import Alert
from scar.alerts.alert_chats import ChatSwitch, chats_of
from scar.alerts.hosts_away import HostsAway
from scar.alerts.mute import Mute
from scar.alerts.planner import Act, AlertStep, plan, versions
from scar.alerts.told import AlertMessage, ToldBook
from scar.chat.alert_document import alert_document, recovery_document, repeat_document
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.context import ChatContext
from scar.chat.front_end import IncomingMessage, Place, Undelivered
from scar.chat.sender import Sender
from scar.document import Document
from scar.errors import ScarError
from scar.projects import Project

_LOOK_SECONDS = 1.0
_HOSTS_SECONDS = 5.0
_AGAIN_SECONDS = 5.0
_REFUSED_SECONDS = 60.0
_log = structlog.get_logger(__name__)

_Key = tuple[str, str]


@dataclass(frozen=True)
class _Known:
    """What Redis said when it was read last."""

    changes: str
    alerts: tuple[Alert, ...]
    mutes: tuple[Mute, ...]
    switches: dict[tuple[str, str], ChatSwitch]


class AlertMessages:
    """Looks once a second whether something has changed, which costs one read of a counter, and
    whether something has to be told again. What cannot be delivered is tried again. `everything`
    are chats that are told of every project.
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
        self._sender = sender
        self._tasks = tasks
        self._everything = tuple(everything)
        self._desk = services.alerts
        self._name = context.front_end.name
        self._book = ToldBook(services.redis, services.signatures, self._name)
        self._hosts = HostsAway(services.redis, clock=context.clock)
        self._looked_at_hosts = 0.0
        self._away: tuple[Alert, ...] = ()
        self._known: _Known | None = None
        self._told: dict[_Key, AlertMessage] | None = None
        self._unsaved: dict[_Key, AlertMessage] = {}
        self._busy: set[_Key] = set()
        self._not_before: dict[_Key, float] = {}

    async def follow(self) -> None:
        """Tell of alerts until cancelled."""
        while True:
            try:
                await self.look()
            except ScarError as error:
                _log.warning("not looked for alerts", reason=error.message)
            except Exception:  # noqa: BLE001 (without this task nobody is told of alerts)
                _log.exception("not looked for alerts")
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Begin to do everything that is to be done now."""
        known = await asyncio.to_thread(self._read_all)
        await self._save()
        if not (known.alerts or self._away or self._told):
            return
        for step in self._steps(known):
            key = _key_of(step)
            if key not in self._busy and self._context.clock() >= self._not_before.get(key, 0.0):
                self._busy.add(key)
                self._tasks.start(self._do(step))

    async def offer(self, incoming: IncomingMessage) -> str | None:
        """Return the command of a tapped button under a message about alerts; whoever taps has seen
        the message.
        """
        group = (incoming.tag or "").partition(":")[0]
        chat = chat_name(self._name, incoming.place)
        known = await asyncio.to_thread(self._read)
        alerts = [a for a in self._alerts_of(chat, known) if a.group == group]
        buttons = alert_document(alerts).buttons if alerts else ()
        command = next((b.command for b in buttons if b.answer == incoming.text), None)
        message = (self._told or {}).get((group, chat))
        if command and message and not message.seen:
            await self._store(replace(message, seen=True))
        return command

    def _read_all(self) -> _Known:
        """Read what has changed, and every few seconds the heartbeats of the hosts."""
        known, now = self._read(), self._context.clock()
        if now - self._looked_at_hosts >= _HOSTS_SECONDS:
            self._looked_at_hosts = now
            open_groups = [m.group for m in (self._told or {}).values() if not m.closed]
            projects = self._context.services.projects.projects.values()
            hosts = {p.host for p in projects if self._own_chats(p, known)}
            self._away = self._hosts.look(hosts, open_groups)
        return known

    def _read(self) -> _Known:
        """Read what has changed on Redis; what was told is this front-end's own, and read once."""
        desk, known = self._desk, self._known
        if self._told is None:
            self._told = {message.key: message for message in self._book.all()}
        changes = desk.book.changes()
        if known is None or known.changes != changes:
            alerts, mutes = tuple(desk.book.all()), tuple(desk.mutes.all())
            known = _Known(changes, alerts, mutes, dict(desk.chats.switches()))
            self._known = known
        return known

    def _steps(self, known: _Known) -> list[AlertStep]:
        now = self._context.clock()
        told = self._told or {}
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
        """Return the chats of this front-end that are told of a project's alerts."""
        chats = chats_of(project, known.switches, self._context.services.access)
        return [*self._everything, *(c for c in chats if c.startswith(f"{self._name}:"))]

    def _alerts_of(self, chat: str, known: _Known) -> list[Alert]:
        """Return the alerts that concern a chat: of its projects, and of their hosts."""
        projects = self._context.services.projects.projects.values()
        own = [project for project in projects if chat in self._own_chats(project, known)]
        by_name, hosts = {p.name: p for p in own}, {p.host for p in own}
        return [
            alert
            for alert in (*known.alerts, *self._away)
            if (alert.is_of(by_name.get(alert.project)) if alert.project else alert.host in hosts)
        ]

    async def _do(self, step: AlertStep) -> None:
        key = _key_of(step)
        throttle = self._sender.throttle(place_of(step.chat))
        wait = _AGAIN_SECONDS
        self._not_before[key] = self._context.clock() + wait
        try:
            await self._context.finishing.run(self._put(step))
            self._not_before.pop(key, None)
            return
        except Undelivered as error:
            _log.warning("alert not delivered", chat=step.chat, reason=str(error))
            if error.gone and step.told is not None:
                await self._forget(step.told)
                wait = 0.0
            elif error.retry_after is None:
                wait = _REFUSED_SECONDS
            else:
                throttle.pause(error.retry_after)
                wait = error.retry_after
        except ScarError as error:
            _log.warning("alert not noted", chat=step.chat, reason=error.message)
        finally:
            self._busy.discard(key)
        self._not_before[key] = self._context.clock() + wait

    async def _put(self, step: AlertStep) -> None:
        """Send or edit, and record it."""
        told = step.told
        if step.act is Act.RING:
            await self._ring(step)
        elif told is None:
            return
        elif step.act is Act.FORGET:
            await self._forget(told)
        elif step.act is Act.REPEAT:
            repeat = repeat_document(step.alerts, int(self._context.clock() * 1000))
            await self._reply(told, repeat)
            await self._store(replace(told, rings=told.rings + 1))
        else:
            await self._edit(step, told)
            told = replace(told, shown=versions(step.alerts))
            if step.act is Act.RECOVER:
                if not step.silent:
                    await self._reply(told, recovery_document(step.alerts))
                told = replace(told, closed=True)
            await self._store(told)

    async def _ring(self, step: AlertStep) -> None:
        """Send the message. That it is sent is noted before: a process that is killed between the
        two leaves a record without a reference, so that the recovery at least is told.
        """
        front_end, place = self._context.front_end, place_of(step.chat)
        document = front_end.fit(alert_document(step.alerts))
        group, now = step.alerts[0].group, int(self._context.clock() * 1000)
        message = AlertMessage(group, step.chat, "", versions(step.alerts), now)
        await self._store(message)
        try:
            async with self._sender.throttle(place).send(front_end.interval(place)):
                sent = await front_end.notify(place, document, f"{group}:", reply_to=None)
        except Undelivered:
            await self._forget(message)
            raise
        await self._store(replace(message, reference=sent.reference))

    async def _edit(self, step: AlertStep, told: AlertMessage) -> None:
        if not told.reference:
            return
        front_end, place = self._context.front_end, place_of(step.chat)
        document = front_end.fit(alert_document(step.alerts))
        async with self._sender.throttle(place).edit(front_end.interval(place)):
            await front_end.edit(place, told.reference, document, f"{told.group}:")

    async def _reply(self, told: AlertMessage, document: Document) -> None:
        front_end, place = self._context.front_end, place_of(told.chat)
        async with self._sender.throttle(place).send(front_end.interval(place)):
            await front_end.notify(
                place, document, f"{told.group}:", reply_to=told.reference or None
            )

    async def _store(self, message: AlertMessage) -> None:
        """Note what was told here and on Redis; where Redis is away, it is noted there later."""
        if self._told is not None:
            self._told[message.key] = message
        self._unsaved[message.key] = message
        await self._save()

    async def _save(self) -> None:
        for key, message in list(self._unsaved.items()):
            await asyncio.to_thread(self._book.put, message)
            if self._unsaved.get(key) is message:
                del self._unsaved[key]

    async def _forget(self, message: AlertMessage) -> None:
        if self._told is not None:
            self._told.pop(message.key, None)
        self._unsaved.pop(message.key, None)
        await asyncio.to_thread(self._book.drop, message)


def chat_name(front_end: str, place: Place) -> str:
    """Return a place as the projects file names it: `telegram:-100123/7`."""
    thread = f"/{place.thread}" if place.thread else ""
    return f"{front_end}:{place.chat}{thread}"


def place_of(chat: str) -> Place:
    """Return the place that a name such as `telegram:-100123/7` stands for."""
    in_front_end = chat.partition(":")[2]
    name, _, thread = in_front_end.partition("/")
    return Place(name, thread or None)


def _key_of(step: AlertStep) -> _Key:
    group = step.told.group if step.told else step.alerts[0].group
    return group, step.chat


def _is_muted(alert: Alert, mutes: Sequence[Mute], known: _Known, now: float) -> bool:
    """Return whether a chat's mutes cover an alert; one until its recovery covers that too."""
    return any(
        mute.covers(alert) and (mute.until_recovery or mute.holds(int(now * 1000), known.alerts))
        for mute in mutes
    )
