"""Signing in to the page, by a link of `/page` or an API token, and out of it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from flask import Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from scar.access import Actor
from scar.api.context import context
from scar.api.page import gate
from scar.errors import ScarError
from scar.jobs.grant import SESSION_SECONDS
from scar.jobs.sign_in_links import SignInLinks


@dataclass(frozen=True)
class SignedIn:
    """Who has shown that they are somebody, and by what: a grant or an API token."""

    actor: Actor
    grant: str = ""
    secret: str = ""


def show() -> ResponseReturnValue:
    """Show the form; for a link, a button: looking at a link does not use it up."""
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
    """Begin a session."""
    gate.require_secure()
    try:
        known = _who()
    except ScarError as error:
        return gate.sign_in_form(error.status, error)
    about = request.headers.get("User-Agent", "")
    cookie = gate.sessions().begin(known.actor, about, grant=known.grant, secret=known.secret)
    context().services.audit.write(known.actor, "page", "signed in")
    going_to = local_path(request.form.get("going_to", ""))
    return gate.keep(_see(going_to), cookie, SESSION_SECONDS)


def sign_out() -> ResponseReturnValue:
    """End the present session."""
    session = gate.session()
    gate.sessions().end(session.actor, session.ref)
    context().services.audit.write(session.actor, "page", "signed out")
    return gate.forget(_see("/sign-in"))


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
        return SignedIn(grant.actor, grant=sealed)
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


def _links() -> SignInLinks:
    services = context().services
    return SignInLinks(services.redis, services.signatures)


def _spent() -> ScarError:
    return ScarError(
        "unauthorized",
        "This link counts no more",
        "A link is good for a minute, once: ask the bot for another with /page.",
    )
