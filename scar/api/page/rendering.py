"""Renders documents and the page's templates as HTML. The templates escape all text of a
document.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flask import Flask, Response, render_template

from scar.access import Role
from scar.api.context import context
from scar.api.page import gate
from scar.api.page.assets import asset_url
from scar.commands.text_format import size, uptime
from scar.document import Code, Document, Line

_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that change the direction of the text that follows."""


def page(template: str, status: int = 200, /, **values: object) -> Response:
    """Render a template for the visitor of the current request."""
    actor, access = gate.session().actor, context().services.access
    body = render_template(
        template,
        csrf=gate.csrf(),
        visitor=actor,
        is_admin=access.allows(actor, Role.ADMIN, None),
        **values,
    )
    return Response(body, status, content_type="text/html; charset=utf-8")


def shown(text: object) -> str:
    """Return a text without invisible characters and those that change its direction."""
    plain = str(text).encode("utf-8", "replace").decode("utf-8")
    return _INVISIBLE.sub("\ufffd", plain)


def is_code(block: Line | Code) -> bool:
    """Return whether a block of a document is preformatted."""
    return isinstance(block, Code)


def clock_time(at: int | None) -> str:
    """Return milliseconds since the epoch as `2026-01-31 12:00 UTC`."""
    if not at:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def machine_time(at: int | None) -> str:
    """Return milliseconds since the epoch as RFC 3339, for `<time datetime>`."""
    return datetime.fromtimestamp((at or 0) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(document: Document) -> str:
    """Return the first line of a document."""
    return document.text.partition("\n")[0]


def register(app: Flask) -> None:
    """Register the filters and functions that the templates use."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        shown=shown, clock=clock_time, machine=machine_time, uptime=uptime, size=size
    )
    app.jinja_env.tests["code"] = is_code
    app.jinja_env.globals["asset"] = asset_url
