"""Signing in to the page, by a link of `/page`, an API token or as a Mini App, and out of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus

from flask import Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from scar.access import Actor
from scar.api.context import context
from scar.api.page import gate
from scar.api.page.parts import parts
from scar.errors import ScarError
from scar.jobs.sign_in_links import SignInLinks
from scar.json_object import JsonObject
from scar.redis_client import redis_errors

_MINI_APP_SECONDS = 60
_SKEW_SECONDS = 60


@dataclass(frozen=True)
class SignedIn:
    """An authenticated person, with the voucher or API token that proves it."""

    actor: Actor
    voucher: JsonObject | None = None
    secret: str = ""


def show() -> ResponseReturnValue:
    """Show the sign-in form. For a sign-in link, show a button, so that a preview of the link does
    not use it up.
    """
    code = request.args.get("link", "")
    if not code:
        return gate.sign_in_form(HTTPStatus.OK)
    asker = _links().asker(code)
    if asker is None:
        return gate.sign_in_form(HTTPStatus.UNAUTHORIZED, _spent())
    return Response(
        render_template("link.html", code=code, asker=asker),
        content_type="text/html; charset=utf-8",
    )


def begin() -> ResponseReturnValue:
    """Begin a session, by a link or a token."""
    gate.require_secure()
    try:
        known = _who()
    except ScarError as error:
        return gate.sign_in_form(error.status, error)
    return gate.keep(_see(local_path(request.form.get("going_to", ""))), _session_of(known))


def mini_app() -> ResponseReturnValue:
    """Show the start of the Mini App: as whom Telegram would sign in, and a button."""
    return gate.mini_app_form(HTTPStatus.OK)


def begin_mini_app() -> ResponseReturnValue:
    """Begin a session by what Telegram has signed. In a frame, it is one of that frame alone."""
    gate.require_secure()
    try:
        known = _of_mini_app(request.form.get("init_data", ""))
        _require_no_other(known)
    except ScarError as error:
        return gate.mini_app_form(error.status, error)
    is_framed = request.headers.get("Sec-Fetch-Dest") == "iframe"
    cookie = _session_of(known, is_framed=is_framed)
    return gate.keep(_see("/"), cookie, is_framed=is_framed)


def _session_of(known: SignedIn, *, is_framed: bool = False) -> str:
    """Begin a session, and return its cookie."""
    context().services.audit.write(known.actor, "page", "signed in")
    return gate.sessions().begin(
        known.actor,
        request.headers.get("User-Agent", ""),
        voucher=known.voucher,
        secret=known.secret,
        is_framed=is_framed,
    )


def sign_out() -> ResponseReturnValue:
    """End the present session."""
    session = gate.session()
    gate.sessions().end(session.actor, session.ref)
    context().services.audit.write(session.actor, "page", "signed out")
    # The sign-in form may not be framed.
    return gate.forget(_see("/mini-app" if session.is_framed else "/sign-in"))


def local_path(path: str) -> str:
    """Return a path of the page itself; the first screen for anything else."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def _see(path: str) -> Response:
    response = Response(status=HTTPStatus.SEE_OTHER)
    response.headers["Location"] = redirect(path).location
    return response


def _who() -> SignedIn:
    code, secret = request.form.get("link", ""), request.form.get("token", "").strip()
    if code:
        grant, sealed = _links().take(code)
        return SignedIn(grant.actor, {"grant": sealed})
    actor = context().services.access.actor_of_token(secret, "web") if secret else None
    if actor is not None:
        return SignedIn(actor, secret=secret)
    if context().limits.of_wrong_token(request.remote_addr or ""):
        raise ScarError(
            "too_many_requests",
            "Too many wrong tokens came from this address",
            "Wait a minute. /page in the chat gives a link that signs you in.",
        )
    raise ScarError(
        "unauthorized",
        "This token is not known here",
        "Type the SECRET of an entry NAME:ROLE:SECRET of SCAR_API_TOKENS.",
    )


def _require_no_other(known: SignedIn) -> None:
    """Raise `forbidden` if a Mini App's data is for another person than the one who is signed in,
    since an attacker's link could contain the attacker's data.
    """
    present = gate.sessions().of_cookie(gate.cookie())
    if present and present.actor != known.actor:
        raise ScarError(
            "forbidden",
            f"This would sign you in as {known.actor.name}; you are {present.actor.name} here",
            "Sign out first, if you want that.",
        )


def _of_mini_app(init_data: str) -> SignedIn:
    """Return the person in a Mini App's data that Telegram has signed. The data must be recent and
    unused.
    """
    services, proofs = context().services, context().services.signatures.mini_app
    user = proofs.user(init_data) if proofs else None
    if user is None:
        raise ScarError(
            "unauthorized",
            "Telegram has not signed this for the bot that is known here",
            "An admin can set SCAR_TELEGRAM_BOT_ID. /page in the chat gives a link that signs in.",
        )
    age = time.time() - user.at / 1000
    with redis_errors():
        key = f"scar:page:mini-app:{user.digest}"
        is_new = services.redis.set(key, "1", nx=True, ex=2 * _MINI_APP_SECONDS)
    # Remembered in this process too, because whoever can read and write Redis could take the data
    # from a request there, and delete the mark that it was used.
    is_new = parts().used.add(user.digest) and is_new
    if not is_new or not -_SKEW_SECONDS <= age <= _MINI_APP_SECONDS:
        raise ScarError(
            "unauthorized",
            "What Telegram has signed counts once, and for a minute",
            "Close the Mini App and open it again.",
        )
    return SignedIn(user.actor, {"mini_app": init_data})


def _links() -> SignInLinks:
    services = context().services
    return SignInLinks(services.redis, services.signatures)


def _spent() -> ScarError:
    return ScarError(
        "unauthorized",
        "This link counts no more",
        "A link is good for a minute, once: ask the bot for another with /page.",
    )
