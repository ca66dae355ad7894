"""Creates links to jobs and projects: to the chat with the Telegram bot, and to the page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import cast

from redis import Redis

from scar.document import Link
from scar.errors import ScarError
from scar.jobs.signing import Signatures
from scar.redis_client import redis_errors

_KEY = "scar:telegram:bot"
_KIND = "bot"
_TELEGRAM = "telegram"
_NAME = re.compile(r"[A-Za-z0-9_]{3,32}")
_KNOWN_SECONDS = 60.0


class Links:
    """Links to jobs and projects: to the page if its address is set, and to the bot once its name
    is known. `page` is the address without a slash at its end.
    """

    def __init__(
        self,
        redis: Redis,
        signatures: Signatures,
        page: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._signatures = signatures
        self._page = page
        self._clock = clock
        self._bot: str | None = None
        self._read_at: float | None = None

    def introduce(self, bot: str) -> None:
        """Publish the name of the bot, without `@`, for the other parts. It is signed, because
        people follow the links.
        """
        sealed = self._signatures.seal(_KIND, {"name": bot})
        with redis_errors():
            self._redis.set(_KEY, sealed)

    def of_job(self, id: str, what: str = "This job") -> tuple[Link, ...]:
        """Return the links to a job. `t.me/<bot>?start=job_<id>` opens the private chat with the
        bot, which then shows the job.
        """
        bot = self._bot_name()
        links = [Link(f"{what} in Telegram", f"https://t.me/{bot}?start=job_{id}")] if bot else []
        if self._page:
            links.append(Link(f"{what} on the page", f"{self._page}/jobs/{id}"))
        return tuple(links)

    def of_project(self, name: str) -> tuple[Link, ...]:
        """Return the link to a project's screen."""
        return (Link(f"{name} on the page", f"{self._page}/projects/{name}"),) if self._page else ()

    def _bot_name(self) -> str | None:
        """Return the bot's name, None if it is not known yet. It is read once a minute."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= _KNOWN_SECONDS:
            try:
                self._bot = self._read()
                self._read_at = now
            except ScarError:
                return self._bot
        return self._bot

    def _read(self) -> str | None:
        with redis_errors():
            opened = self._signatures.open(_KIND, cast("str | None", self._redis.get(_KEY)))
        if opened is None or opened.signer.part != _TELEGRAM:
            return None
        name = opened.content.get("name")
        return name if isinstance(name, str) and _NAME.fullmatch(name) else None
