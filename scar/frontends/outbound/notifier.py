"""`scar outbound`: sends the alerts of every project to the services of `SCAR_ALERT_URLS`.

A service gets a message when an alert begins, when it is repeated and when it has recovered; most
of them cannot change one that was sent. Each service is a place of its own, so a failed message is
retried at that service alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import apprise
import structlog

from scar.bootstrap import bootstrap
from scar.chat.alert_messages import AlertMessages
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.context import ChatContext
from scar.chat.front_end import Place, SentMessage, Undelivered
from scar.chat.sender import Sender
from scar.document import Attachment, Document, Picture
from scar.errors import ScarError
from scar.frontends.lease import Lease
from scar.frontends.outbound.settings import OutboundSettings
from scar.frontends.signals import run_until_signal
from scar.jobs.event import Event
from scar.settings import Settings, SettingsError

NAME = "outbound"
_AGAIN_SECONDS = 30.0
_LONGEST = 3000
_WORD_JOINER = "\u2060"
_log = structlog.get_logger(__name__)


class OutboundServices:
    """Implements the chat's `FrontEnd` for services that only take messages."""

    name = NAME
    bot_name: str | None = None
    long_seconds: float | None = None

    def __init__(self, urls: Mapping[str, str], *, again_seconds: float = _AGAIN_SECONDS) -> None:
        self._urls = urls
        self._again_seconds = again_seconds

    def fit(self, document: Document) -> Document:
        """Return the document unchanged; `notify` shortens it."""
        return document

    def interval(self, place: Place) -> float:  # noqa: ARG002
        """Return 0: nothing is edited."""
        return 0.0

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        """Send a message."""
        return await self.notify(place, document, tag, reply_to=None)

    async def notify(
        self,
        place: Place,
        document: Document,
        tag: str,  # noqa: ARG002
        *,
        reply_to: str | None,  # noqa: ARG002
    ) -> SentMessage:
        """Send a message: its first line as the title, the rest as the text."""
        url = self._urls.get(place.chat)
        if url is None:
            raise Undelivered("this service is no longer in SCAR_ALERT_URLS", None)
        title, _, body = _inert(document.text).partition("\n")
        body = "\n".join([body, *(f"{link.label}: {link.url}" for link in document.links)]).strip()
        if not await asyncio.to_thread(_send, url, title, body or title):
            raise Undelivered("the service did not take it", self._again_seconds)
        return SentMessage("sent", time.time())

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:  # noqa: ARG002
        """Do nothing: what was sent stays as it is."""
        return time.time()

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:
        """Do nothing: the text says enough."""

    async def send_picture(self, place: Place, reference: str, picture: Picture) -> None:
        """Do nothing: the text says enough."""


class NoEvents:
    """An event source without events, since this front-end shows no jobs."""

    async def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:  # noqa: ARG002
        """Yield nothing."""
        nothing: tuple[Event, ...] = ()
        for event in nothing:
            yield event


def places_of(urls: Sequence[str]) -> dict[str, str]:
    """Return the addresses by a name for each that does not reveal its secrets."""
    return {hashlib.sha256(url.encode()).hexdigest()[:12]: url for url in urls}


def serve(settings: Settings) -> None:
    """Send alerts until SIGTERM or SIGINT; raise `ScarError` if that cannot be done."""
    urls = settings.of(OutboundSettings).urls
    if not urls:
        raise SettingsError(["SCAR_ALERT_URLS: is not set, and `scar outbound` needs it"])
    for number, url in enumerate(urls, 1):
        if not apprise.Apprise().add(url):
            raise SettingsError([f"SCAR_ALERT_URLS: Apprise does not know entry {number}"])
    run_until_signal(_run(settings, places_of(urls)))


async def _run(settings: Settings, places: Mapping[str, str]) -> None:
    services = bootstrap(settings, NAME)
    lease = Lease(services.redis, NAME)
    await lease.wait()
    context = ChatContext(OutboundServices(places), services, NoEvents(), time.time)
    tasks = BackgroundTasks()
    chats = [f"{NAME}:{place}" for place in places]
    messages = AlertMessages(context, Sender(context, tasks), tasks, chats)
    _log.info("listening", services=len(places))
    try:
        await asyncio.gather(messages.follow(), lease.keep())
    finally:
        await tasks.cancel()
        await context.finishing.wait()
        _release(lease)


def _release(lease: Lease) -> None:
    try:
        lease.release()
    except ScarError as error:
        _log.warning("lease not given up", reason=error.message)


def _send(url: str, title: str, body: str) -> bool:
    sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="SCAR", async_mode=False))
    sender.add(url)
    return bool(sender.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))


def _inert(text: str) -> str:
    """Return a text that mentions nobody on the service: part of it was written by containers."""
    return text[:_LONGEST].replace("@", "@" + _WORD_JOINER)
