"""The screens of the visitor's own sessions."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from scar.api.auth import actor
from scar.api.context import context
from scar.api.page import gate
from scar.api.page.actions import see_other
from scar.api.page.rendering import page


def sessions() -> ResponseReturnValue:
    """The visitor's sessions."""
    services = context().services
    role = services.access.highest_role(actor(), services.projects.projects.values())
    return page(
        "sessions.html",
        sessions=gate.sessions().of(actor()),
        present=gate.session().ref,
        role=role,
    )


def end(ref: str) -> ResponseReturnValue:
    """End one of the visitor's sessions."""
    gate.sessions().end(actor(), ref)
    context().services.audit.write(actor(), "page", "ended a session")
    return see_other("/sessions")


def end_others() -> ResponseReturnValue:
    """End all of the visitor's sessions but this one."""
    for session in gate.sessions().of(actor()):
        if session.ref != gate.session().ref:
            gate.sessions().end(actor(), session.ref)
    context().services.audit.write(actor(), "page", "ended the other sessions")
    return see_other("/sessions")
