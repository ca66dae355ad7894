"""Identifies the visitor before each route of the page, and sets the headers of every response.

A POST needs the session's CSRF token and must come from the page itself; the cookie alone is not
enough (OWASP, "Cross-Site Request Forgery Prevention").
"""

from __future__ import annotations

import ipaddress
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue

from scar.access import Actor, Role
from scar.api.context import context
from scar.api.page.compression import compressed
from scar.api.page.parts import parts
from scar.api.page.sessions import Session, Sessions
from scar.errors import ScarError
from scar.jobs.grant import SESSION_SECONDS

SAFE = ("GET", "HEAD")
_SECURE_COOKIE = "__Host-scar"
_COOKIE = "scar"
_FRAMED_COOKIE = "__Host-scar-framed"
_OPEN = ("page.sign_in", "page.begin", "page.mini_app", "page.begin_mini_app", "page.static")
"""The routes for everybody."""

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'self'",
}
_TELEGRAM_WEB = "https://web.telegram.org"
"""The only site that may frame the page: the start of the Mini App, and a session that began
there in a frame."""

_MINI_APP = ("page.mini_app", "page.begin_mini_app")
_OPEN_AGAIN = "Close this, and open it again from the bot's menu in Telegram."
_HEADERS = {
    # With `no-referrer`, browsers would send `Origin: null` with the page's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def sessions() -> Sessions:
    """Return the sessions of the application that handles the current request."""
    return parts().sessions


def session() -> Session:
    """Return the session of the current request."""
    return cast(Session, g.session)


def cookie() -> str:
    """Return the session's cookie as the browser has sent it. In a frame of another site, browsers
    send the one that was set there alone.
    """
    cookies = request.cookies
    return cookies.get(cookie_name()) or cookies.get(_FRAMED_COOKIE, "")


def csrf() -> str:
    """Return the token for the forms of the current session."""
    return sessions().csrf(cookie())


def admit() -> ResponseReturnValue | None:
    """Set the visitor of each request to the page; show the sign-in form if nobody is signed in."""
    if request.method not in SAFE:
        _require_same_origin()
        with context().body_deadline():
            request.form  # noqa: B018  reads the body
    if request.endpoint in _OPEN:
        return None
    known = sessions().of_cookie(cookie())
    if known is None:
        return _comes_from_elsewhere() or _of_ended_frame() or sign_in_form(401)
    g.session, g.actor, g.voucher = known, known.actor, known.voucher
    _require_known(known.actor)
    if request.method not in SAFE and not sessions().is_csrf(
        cookie(), request.form.get("csrf", "")
    ):
        raise ScarError(
            "forbidden", "This form is not of this session", "Load the page again, and try again."
        )
    return context().limits.of_actor(known.actor)


def sign_in_form(status: int, problem: ScarError | None = None) -> ResponseReturnValue:
    """Return the form to sign in; `problem` says why the last attempt failed."""
    going_to = request.full_path.rstrip("?") if request.endpoint not in _OPEN else ""
    if request.method not in SAFE:
        going_to = ""
    body = render_template("sign_in.html", problem=problem, going_to=going_to)
    return Response(body, status, content_type="text/html; charset=utf-8")


def mini_app_form(status: int, problem: ScarError | None = None) -> Response:
    """Return the start of the Mini App; `problem` says why the last attempt failed."""
    body = render_template("mini_app.html", problem=problem)
    return Response(body, status, content_type="text/html; charset=utf-8")


def protect(response: Response) -> Response:
    """Set the security headers of a response of the page."""
    may_frame = _TELEGRAM_WEB if _may_be_framed() else "'none'"
    rules = {**_POLICY, "frame-ancestors": may_frame}
    policy = "; ".join(f"{name} {value}" for name, value in rules.items())
    response.headers["Content-Security-Policy"] = policy
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return compressed(response)


def keep(response: Response, cookie: str, *, is_framed: bool = False) -> Response:
    """Set a session's cookie in the browser; that of a frame is valid below that site alone."""
    response.set_cookie(
        _FRAMED_COOKIE if is_framed else cookie_name(),
        cookie,
        max_age=SESSION_SECONDS,
        **_attributes(is_framed=is_framed),
    )
    return response


def forget(response: Response) -> Response:
    """Delete the session's cookie in the browser."""
    framed = session().is_framed
    name = _FRAMED_COOKIE if framed else cookie_name()
    response.delete_cookie(name, **_attributes(is_framed=framed))
    return response


def _attributes(*, is_framed: bool) -> dict[str, Any]:
    common = {"path": "/", "httponly": True}
    if is_framed:
        return {**common, "secure": True, "samesite": "None", "partitioned": True}
    return {**common, "secure": not _is_loopback(), "samesite": "Strict"}


def _may_be_framed() -> bool:
    known: Session | None = g.get("session")
    is_of_frame = g.get("is_of_ended_frame", False) or (known is not None and known.is_framed)
    return request.endpoint in _MINI_APP or is_of_frame


def cookie_name() -> str:
    """Return the name of the cookie. Browsers accept the prefix `__Host-` only over https and from
    the host itself.
    """
    return _COOKIE if _is_loopback() else _SECURE_COOKIE


def require_secure() -> None:
    """Raise `forbidden` if the browser would drop the cookie, which happens over http from another
    machine.
    """
    scheme = urlsplit(request.headers.get("Origin", "")).scheme
    if scheme == "http" and not _is_loopback():
        raise ScarError(
            "forbidden",
            "Nobody can sign in over http: whoever is on the way could take the session",
            "Put a proxy with TLS before the API and set SCAR_PAGE_URL to its https:// address; "
            "on the host itself, use http://127.0.0.1.",
        )


def _is_loopback() -> bool:
    """Return whether the page was asked for on this machine. Behind a proxy, `Host` is the name
    that people see.
    """
    name = (urlsplit(f"//{request.host}").hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _require_same_origin() -> None:
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    own = {request.host, urlsplit(context().services.settings.page_url or "").netloc}
    foreign = origin is not None and urlsplit(origin).netloc not in own - {""}
    if foreign or site not in (None, "same-origin"):
        raise ScarError(
            "forbidden",
            "This was sent from another site: nothing was done",
            "Use the page itself. Behind a proxy, it has to pass on `Host` as people type it.",
        )


def _require_known(actor: Actor) -> None:
    """Raise `unauthorized` if the person has lost every role."""
    services = context().services
    if services.access.highest_role(actor, services.projects.projects.values()) is None:
        services.access.require(actor, Role.VIEWER, None)


def _of_ended_frame() -> ResponseReturnValue | None:
    """Return what is shown in a frame whose session has ended, which its site may frame: the
    sign-in form may not be framed, and would be a blank area there. None outside of a frame.
    """
    if request.headers.get("Sec-Fetch-Dest") != "iframe" and _FRAMED_COOKIE not in request.cookies:
        return None
    g.is_of_ended_frame = True
    return mini_app_form(401, ScarError("unauthorized", "You are signed out", _OPEN_AGAIN))


def _comes_from_elsewhere() -> ResponseReturnValue | None:
    """Return a page that reloads itself if the visit came from a link on another site, because
    browsers do not send the cookie with such a visit; else None.
    """
    if request.method not in SAFE or request.headers.get("Sec-Fetch-Site") != "cross-site":
        return None
    body = render_template("again.html", going_to=request.full_path.rstrip("?"))
    return Response(body, 200, content_type="text/html; charset=utf-8")
