"""Sessions of the page: a signed cookie, and a record on Redis that the API has sealed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import cast

from itsdangerous import BadSignature, Signer
from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.grant import SESSION_SECONDS, open_voucher
from scar.jobs.signing import Signatures
from scar.json_object import JsonObject
from scar.keys.key_store import API
from scar.redis_client import redis_errors
from scar.settings import Settings

_LONGEST_ABOUT = 200


@dataclass(frozen=True)
class Session:
    """One browser in which somebody is signed in. `ref` names it and is no secret: the SHA-256 of
    what the cookie holds.

    `voucher` goes with each request for the person, None for a client of the API; `token` stands
    for the API token that was typed. `about` is the browser's word for itself. `is_framed`: it
    began in a frame of Telegram Web. Times are milliseconds since the epoch.
    """

    ref: str
    actor: Actor
    at: int
    expires: int
    about: str
    voucher: JsonObject | None = None
    token: str = ""
    is_framed: bool = False


class Sessions:
    """The sessions on Redis: `scar:page:session:<ref>`, a sealed record, and
    `scar:page:sessions:<person>`, the set of the person's. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        redis: Redis,
        signatures: Signatures,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._signatures = signatures
        self._settings = settings
        self._clock = clock
        self._secret = signatures.secret("page")
        self._cookies = Signer(self._secret, salt="scar.page.session", digest_method=hashlib.sha256)

    def begin(
        self,
        actor: Actor,
        about: str,
        *,
        voucher: JsonObject | None = None,
        secret: str = "",
        is_framed: bool = False,
    ) -> str:
        """Begin a session, and return its cookie. `secret` is the API token that was typed."""
        id = secrets.token_urlsafe(32)
        now = int(self._clock() * 1000)
        session = Session(
            ref=_ref(id),
            actor=actor,
            at=now,
            expires=now + SESSION_SECONDS * 1000,
            about="".join(c for c in about if c.isprintable())[:_LONGEST_ABOUT],
            voucher=voucher,
            token=self._stands_for(secret) if secret else "",
            is_framed=is_framed,
        )
        content = {**asdict(session), "actor": actor.to_json()}
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.set(_key(session.ref), self._signatures.seal("session", content))
            pipe.pexpireat(_key(session.ref), session.expires)
            pipe.sadd(_key_of(actor), session.ref)
            pipe.expire(_key_of(actor), SESSION_SECONDS)
            pipe.execute()
        return self._cookies.sign(id).decode()

    def of_cookie(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it has ended or is invalid."""
        id = self._id(cookie)
        return self._read(_ref(id)) if id else None

    def csrf(self, cookie: str) -> str:
        """Return the token that every form of a session sends along, masked anew each time: the
        length of compressed answers says nothing of it (breachattack.com, "Mitigations").
        """
        token = self._token(cookie)
        mask = secrets.token_bytes(len(token))
        return base64.urlsafe_b64encode(mask + _xor(mask, token)).decode()

    def is_csrf(self, cookie: str, given: str) -> bool:
        """Return whether a form was made for the session, in constant time."""
        token = self._token(cookie)
        try:
            masked = base64.urlsafe_b64decode(given.encode())
        except ValueError:
            return False
        mask, rest = masked[: len(token)], masked[len(token) :]
        return len(rest) == len(token) and hmac.compare_digest(_xor(mask, rest), token)

    def _token(self, cookie: str) -> bytes:
        return hmac.new(self._secret, f"csrf {self._id(cookie)}".encode(), "sha256").digest()

    def of(self, actor: Actor) -> list[Session]:
        """Return the sessions of a person, newest first."""
        return sorted(self._all(actor), key=lambda session: session.at, reverse=True)

    def end(self, actor: Actor, ref: str) -> None:
        """End a session of the person. Raises `not_found`."""
        if all(session.ref != ref for session in self._all(actor)):
            raise ScarError("not_found", "There is no such session", "It may have ended already.")
        with redis_errors():
            self._redis.delete(_key(ref))
            self._redis.srem(_key_of(actor), ref)

    def _all(self, actor: Actor) -> Iterator[Session]:
        with redis_errors():
            refs = cast("set[str]", self._redis.smembers(_key_of(actor)))
        for ref in refs:
            session = self._read(ref)
            if session is not None and session.actor == actor:
                yield session

    def _read(self, ref: str) -> Session | None:
        with redis_errors():
            sealed = cast("str | None", self._redis.get(_key(ref)))
        opened = self._signatures.open("session", sealed)
        if opened is None or opened.signer.part != API:
            return None
        content = dict(opened.content)
        session = Session(**{**content, "actor": Actor.from_json(content["actor"])})
        counts = session.ref == ref and session.expires > self._clock() * 1000
        return session if counts and self._is_backed(session) else None

    def _is_backed(self, session: Session) -> bool:
        """Return whether the person's grant or API token is still valid."""
        if session.voucher:
            opened = open_voucher(self._signatures, session.voucher)
            return (
                opened is not None
                and opened.retired_at is None
                and opened.grant.actor == session.actor
                and opened.grant.expires > self._clock() * 1000
            )
        return any(
            token.name == session.actor.id
            and hmac.compare_digest(self._stands_for(token.secret), session.token)
            for token in self._settings.api_tokens
        )

    def _stands_for(self, token: str) -> str:
        """Return a keyed hash of an API token, which is stored instead of the token."""
        return hmac.new(self._secret, f"token {token}".encode(), "sha256").hexdigest()

    def _id(self, cookie: str) -> str:
        try:
            return self._cookies.unsign(cookie).decode()
        except (BadSignature, UnicodeError):
            return ""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _ref(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()


def _key(ref: str) -> str:
    return f"scar:page:session:{ref}"


def _key_of(actor: Actor) -> str:
    return f"scar:page:sessions:{actor.key}"
