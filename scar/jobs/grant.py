"""Grants: a front-end permits the page to act in the name of one of its people while they are
signed in. The API signs requests that are made on the page, but may not sign for the people of
other front-ends. The grant is therefore part of each request, and every reader of the request
verifies it. A grant is made with a sign-in link (`sign_in_links`), and is for as long as a session
of the page.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from scar.access import Actor
from scar.jobs.signing import Signatures
from scar.json_object import JsonObject

SESSION_SECONDS = 12 * 3600
"""How long a session of the page lasts."""

LINK_SECONDS = 60
"""How long a sign-in link is valid."""

_SKEW_MS = 60_000
"""How far the clocks of two hosts may be apart."""


@dataclass(frozen=True)
class Grant:
    """A front-end's signed permission for the page to act in the name of `actor`. `link` is the
    SHA-256 of the link's code; times are milliseconds since the epoch.
    """

    actor: Actor
    link: str
    at: int
    expires: int

    @property
    def link_expires(self) -> int:
        """Until when the link is valid."""
        return self.at + LINK_SECONDS * 1000

    def seal(self, signatures: Signatures) -> str:
        """Return the grant, signed."""
        return signatures.seal("grant", {**asdict(self), "actor": self.actor.to_json()})


@dataclass(frozen=True)
class OpenedGrant:
    """A grant whose signature is valid, and when its key was retired."""

    grant: Grant
    retired_at: int | None


def open_voucher(signatures: Signatures, voucher: JsonObject) -> OpenedGrant | None:
    """Return the permission in a voucher: a grant of the person's front-end, or the Mini App data
    that Telegram has signed. None if the signature is invalid.
    """
    if "grant" in voucher:
        return open_grant(signatures, str(voucher["grant"]))
    user = signatures.mini_app.user(str(voucher["mini_app"])) if signatures.mini_app else None
    if user is None:
        return None
    return OpenedGrant(Grant(user.actor, "", user.at, user.at + SESSION_SECONDS * 1000), None)


def open_grant(signatures: Signatures, sealed: str) -> OpenedGrant | None:
    """Return a grant; None unless the front-end of its person has signed it."""
    opened = signatures.open("grant", sealed)
    if opened is None:
        return None
    try:
        grant = _grant_of(opened.content)
    except (LookupError, TypeError, ValueError):
        return None
    if not opened.signer.speaks_for(grant.actor.frontend):
        return None
    return OpenedGrant(grant, opened.signer.retired_at)


def is_grant(voucher: JsonObject) -> bool:
    """Return whether a voucher is for a session, and not for one request."""
    return "grant" in voucher or "mini_app" in voucher


def grants(signatures: Signatures, voucher: JsonObject, actor: Actor, at: int) -> bool:
    """Return whether the voucher permits the page to act in the name of `actor` at the time `at`,
    in milliseconds since the epoch.
    """
    opened = open_voucher(signatures, voucher)
    if opened is None or opened.grant.actor != actor:
        return False
    retired_at = opened.retired_at
    if retired_at is not None and at > retired_at:
        return False
    return opened.grant.at - _SKEW_MS <= at <= opened.grant.expires + _SKEW_MS


def _grant_of(content: JsonObject) -> Grant:
    actor = Actor.from_json(content["actor"])
    return Grant(actor, str(content["link"]), int(content["at"]), int(content["expires"]))
