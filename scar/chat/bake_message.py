"""Keeps the message of a deploy up to date during its bake: with an Undo button, and a message with
a sound for each thing that gets worse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from scar.chat.context import ChatContext
from scar.chat.edit_throttle import EditThrottle
from scar.chat.front_end import Place, Undelivered
from scar.commands.release_lines import short_id
from scar.commands.text_format import title, uptime
from scar.document import Button, Document, Line
from scar.errors import ScarError
from scar.jobs.bake import Bake, BakeBook
from scar.jobs.record import Job, JobState

UNDO = "undo"
_LOOK_SECONDS = 2.0
_FIRST_SECONDS = 20.0
"""How long to wait for the bake to begin; a worker looks for new releases every three seconds."""

_log = structlog.get_logger(__name__)


def undo_command(bake: Bake) -> str:
    """Return the command that undoes a deploy. Like any rollback, it asks for confirmation."""
    return f"/docker_rollback {bake.project} {short_id(bake.previous)}"


def with_bake(document: Document, bake: Bake | None) -> Document:
    """Return a deploy's message with the findings of its bake, and with an Undo button during the
    bake.
    """
    if bake is None:
        return document
    lasts = uptime((bake.until - bake.began) / 1000)
    if bake.is_well:
        well = f"✅ Nothing got worse within {lasts}"
        watched = f"👀 Watched for {lasts}, whether anything gets worse"
        lines = [well if bake.ended else watched]
    else:
        lines = _worse_lines(bake)
    document = document.with_line("\n".join(("", *lines)))
    if bake.ended:
        return document
    return document.with_buttons(Button("↩️ Undo", UNDO, undo_command(bake)))


def bake_notice(bake: Bake) -> Document:
    """Return the message that is sent with a sound: what got worse, and how it is or can be
    undone.
    """
    heading = f"⚠️ {title(bake.project)}: worse since this deploy"
    lines = "\n".join((heading, *_worse_lines(bake)))
    button = Button("↩️ Undo", UNDO, undo_command(bake))
    return Document((Line(lines),), () if bake.undo else (button,))


def _worse_lines(bake: Bake) -> list[str]:
    lines = [f"⚠️ {finding.container} {finding.what}" for finding in bake.findings]
    if bake.undo:
        lines.append(f"↩️ It is rolled back without a yes: /job_{bake.undo}")
    return lines


@dataclass
class BakeFollower:
    """Follows the bake of a message's deploy to its end.

    `show` edits the message after `bake` has changed. `told` says which findings were already sent
    with a sound; `record_told` stores that before sending, so that none is sent twice.
    """

    context: ChatContext
    place: Place
    throttle: EditThrottle
    show: Callable[[], Awaitable[bool]]
    record_told: Callable[[str], Awaitable[None]]
    told: str = ""
    bake: Bake | None = field(default=None, init=False)

    async def follow(self, job: Job, reference: Callable[[], str | None]) -> None:
        """Show the bake until it has ended. Return within seconds if there is none."""
        if job.state is not JobState.SUCCEEDED or job.request.kind != "deploy":
            return
        if not (job.result or {}).get("release") or self.context.front_end.long_seconds is None:
            return  # a terminal is not kept open for a whole bake
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _FIRST_SECONDS
        while self.bake is None or not self.bake.ended:
            bake = await self._read(job)
            if bake is not None and bake != self.bake:
                self.bake = bake
                if not await self.show():
                    return
                await self._tell(job, bake, reference())
            elif bake is None and loop.time() > deadline:
                return  # no bake, or it is forgotten
            if bake is None or not bake.ended:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _read(self, job: Job) -> Bake | None:
        services = self.context.services
        book = BakeBook(services.redis, services.signatures)
        try:
            return await asyncio.to_thread(book.of, job)
        except ScarError as error:
            _log.warning("bake not read", reason=error.message)
            return self.bake

    async def _tell(self, job: Job, bake: Bake, reply_to: str | None) -> None:
        """Send a message with a sound for each new finding, and for a rollback that the worker has
        requested.
        """
        findings = sorted(f"{finding.container}/{finding.rule}" for finding in bake.findings)
        now = " ".join((*findings, bake.undo)).strip()
        if not findings or now == self.told:
            return
        front_end = self.context.front_end
        document = front_end.fit(bake_notice(bake))
        while True:
            try:
                await self.record_told(now)
                self.told = now
                async with self.throttle.send(front_end.interval(self.place)):
                    await front_end.notify(self.place, document, f"{job.id}:", reply_to=reply_to)
                return
            except Undelivered as error:
                if error.retry_after is None or error.unsure:
                    _log.warning("bake not told", reason=str(error))
                    return
                self.throttle.pause(error.retry_after)
            except ScarError as error:
                _log.warning("bake not told yet", reason=error.message)
                await asyncio.sleep(_LOOK_SECONDS)
