"""Links that sign a person in to the page, once, within a minute."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import cast

from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.grant import LINK_SECONDS, SESSION_SECONDS, Grant, open_grant
from scar.jobs.signing import Signatures
from scar.redis_client import redis_errors


class SignInLinks:
    """Links on Redis: `scar:page:link:<SHA-256 of the code>` is the sealed grant. Whoever reads
    Redis does not learn the code. `clock` gives seconds since the epoch.
    """

    def __init__(
        self, redis: Redis, signatures: Signatures, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._signatures = signatures
        self._clock = clock

    def issue(self, actor: Actor) -> str:
        """Return the code of a new link for one of the people of the part that signs. Raises
        `forbidden` for others.
        """
        part = self._signatures.part
        if actor.frontend != part:
            raise ScarError(
                "forbidden",
                f"{part} makes no link for the people of {actor.frontend}",
                "Send /page in the chat where you are known. An API token signs in by itself.",
            )
        code = secrets.token_urlsafe(24)
        at = int(self._clock() * 1000)
        grant = Grant(actor, _hash(code), at, at + SESSION_SECONDS * 1000)
        with redis_errors():
            self._redis.set(_key(code), grant.seal(self._signatures), ex=LINK_SECONDS)
        return code

    def asker(self, code: str) -> Actor | None:
        """Return the person whom a link would sign in; None if it is used or expired. Does not use
        it up.
        """
        with redis_errors():
            sealed = cast("str | None", self._redis.get(_key(code)))
        opened = self._open(code, sealed)
        return opened.actor if opened else None

    def take(self, code: str) -> tuple[Grant, str]:
        """Use a link up; return its grant, and the same sealed. Raises `unauthorized`."""
        with redis_errors():
            sealed = cast("str | None", self._redis.getdel(_key(code)))
        grant = self._open(code, sealed)
        if grant is None or sealed is None:
            raise ScarError(
                "unauthorized",
                "This link counts no more",
                f"A link is good for {LINK_SECONDS} seconds, once: ask for another with /page.",
            )
        return grant, sealed

    def _open(self, code: str, sealed: str | None) -> Grant | None:
        opened = open_grant(self._signatures, sealed or "")
        if opened is None or opened.retired_at is not None:
            return None
        grant = opened.grant
        now = self._clock() * 1000
        return grant if grant.link == _hash(code) and now <= grant.link_expires else None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def _key(code: str) -> str:
    return f"scar:page:link:{_hash(code)}"
