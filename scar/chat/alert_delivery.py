"""Sends alerts to chats: one message for each group of alerts, edited when they change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from scar.alerts.planner import Act, AlertStep, is_critical, versions
from scar.alerts.told import AlertMessage, ToldBook
from scar.chat.alert_document import (
    alert_document,
    alert_links,
    recovery_document,
    repeat_document,
    worse_document,
)
from scar.chat.alert_places import place_of
from scar.chat.context import ChatContext
from scar.chat.front_end import Undelivered
from scar.chat.sender import Sender
from scar.document import Document
from scar.errors import ScarError

_AGAIN_SECONDS = 5.0
_REFUSED_SECONDS = 60.0
_log = structlog.get_logger(__name__)

_Key = tuple[str, str]


class AlertDelivery:
    """Sends and edits messages, and records them on Redis. `told` are the records by group and
    chat; they are read once, since no other process writes them.
    """

    def __init__(self, context: ChatContext, sender: Sender) -> None:
        services = context.services
        self._context = context
        self._sender = sender
        self._book = ToldBook(services.redis, services.signatures, context.front_end.name)
        self.told: dict[_Key, AlertMessage] = {}
        self._is_loaded = False
        self._unsaved: dict[_Key, AlertMessage] = {}
        self._busy: set[_Key] = set()
        self._not_before: dict[_Key, float] = {}

    def load(self) -> None:
        """At the first call, read the records of messages that an earlier process has sent."""
        if not self._is_loaded:
            self.told = {message.key: message for message in self._book.all()}
            self._is_loaded = True

    def take(self, step: AlertStep) -> bool:
        """Return whether an act is due, and mark it as in progress; the caller must then do it."""
        key = _key_of(step)
        if key in self._busy or self._context.clock() < self._not_before.get(key, 0.0):
            return False
        self._busy.add(key)
        return True

    async def do(self, step: AlertStep) -> None:
        """Do one act; if it fails, it becomes due again later."""
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
        """Send or edit a message, and store its record."""
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
            await self.store(replace(told, rings=told.rings + 1))
        else:
            await self._edit(step, told)
            told = replace(told, shown=versions(step.alerts))
            if step.act is Act.WORSEN:
                await self._worsen(step, told)
                return
            if step.act is Act.RECOVER:
                if not step.silent:
                    await self._reply(told, recovery_document(step.alerts))
                told = replace(told, closed=True)
            await self.store(told)

    async def _ring(self, step: AlertStep) -> None:
        """Send a message with a sound. A record without a reference is stored first, so that after
        a kill in between at least the recovery is announced.
        """
        front_end, place = self._context.front_end, place_of(step.chat)
        document = front_end.fit(await self._document(step))
        group, now = step.alerts[0].group, int(self._context.clock() * 1000)
        message = AlertMessage(
            group, step.chat, "", versions(step.alerts), now, critical=is_critical(step.alerts)
        )
        await self.store(message)
        try:
            async with self._sender.throttle(place).send(front_end.interval(place)):
                sent = await front_end.notify(place, document, f"{group}:", reply_to=None)
        except Undelivered:
            await self._forget(message)
            raise
        await self.store(replace(message, reference=sent.reference))

    async def _worsen(self, step: AlertStep, told: AlertMessage) -> None:
        """Send a second message with a sound, because the alert got worse. Its record is stored
        first, and withdrawn if the platform refuses the message. A kill in between loses no alert,
        since the first message was sent before.
        """
        now = int(self._context.clock() * 1000)
        await self.store(replace(told, critical=True, seen=False, first_at=now, rings=1))
        try:
            await self._reply(told, worse_document(step.alerts))
        except Undelivered as error:
            if not error.unsure:
                await self.store(told)
            raise

    async def _edit(self, step: AlertStep, told: AlertMessage) -> None:
        if not told.reference:
            return
        front_end, place = self._context.front_end, place_of(step.chat)
        document = front_end.fit(await self._document(step))
        async with self._sender.throttle(place).edit(front_end.interval(place)):
            await front_end.edit(place, told.reference, document, f"{told.group}:")

    async def _document(self, step: AlertStep) -> Document:
        links = await asyncio.to_thread(alert_links, step.alerts, self._context.services.links)
        return alert_document(step.alerts).with_links(links)

    async def _reply(self, told: AlertMessage, document: Document) -> None:
        front_end, place = self._context.front_end, place_of(told.chat)
        async with self._sender.throttle(place).send(front_end.interval(place)):
            await front_end.notify(
                place, document, f"{told.group}:", reply_to=told.reference or None
            )

    async def store(self, message: AlertMessage) -> None:
        """Note what was told here and on Redis; where Redis is away, it is noted there later."""
        self.told[message.key] = message
        self._unsaved[message.key] = message
        await self.save()

    async def save(self) -> None:
        """Write to Redis what could not be written yet."""
        for key, message in list(self._unsaved.items()):
            await asyncio.to_thread(self._book.put, message)
            if self._unsaved.get(key) is message:
                del self._unsaved[key]

    async def _forget(self, message: AlertMessage) -> None:
        self.told.pop(message.key, None)
        self._unsaved.pop(message.key, None)
        await asyncio.to_thread(self._book.drop, message)


def _key_of(step: AlertStep) -> _Key:
    group = step.told.group if step.told else step.alerts[0].group
    return group, step.chat
