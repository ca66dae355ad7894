"""Silences the alerts of a container in every chat that is told of them, or ends that."""

from __future__ import annotations

from collections.abc import Collection

from flask import request
from flask.typing import ResponseReturnValue

from scar.alerts.alert import Alert
from scar.alerts.mute_book import LONGEST_NAME
from scar.api.auth import actor, visible_project
from scar.api.context import context
from scar.api.page.actions import see_other
from scar.api.page.open_alerts import open_alerts, told_chats
from scar.api.page.spoken import command_context
from scar.commands.alerts import COMMAND as ALERTS
from scar.commands.alerts import require_known_container
from scar.errors import ScarError
from scar.projects import Project

_SECONDS = 2 * 3600.0
_WORDS = ("2h", "recovery", "on")


def mute(name: str) -> ResponseReturnValue:
    """Mute a container for two hours or until it has recovered, or unmute it."""
    known, services = visible_project(name), context().services
    container, word = request.form.get("container", "")[:LONGEST_NAME], request.form.get("for", "")
    if word not in _WORDS or not container or "/" in container:
        raise ScarError("invalid_request", "This says not what to mute", "Load the page again.")
    services.access.require(actor(), ALERTS.role, known, what=ALERTS.noun)
    told = told_chats(known)
    if not told:
        raise ScarError(
            "conflict",
            f"No chat is told of the alerts of {known.name}",
            f"In a chat, /docker_alerts {known.name} on changes that.",
        )
    alerts = [
        alert
        for alert in open_alerts().get(known.name, ())
        if container in (alert.container, alert.service)
    ]
    if word == "on":
        _unmute(alerts, told)
    elif word == "2h" or alerts:
        _mute(known, container, alerts if word == "recovery" else (), told)
    what = f"{known.name}/{container}: {word}"
    services.audit.write(actor(), ALERTS.word, what, project=known.name)
    return see_other(f"/projects/{known.name}")


def _mute(
    project: Project, container: str, until_recovered: Collection[Alert], chats: Collection[str]
) -> None:
    """Mute a container in all chats until some alerts have recovered, or for two hours."""
    spoken = command_context()
    require_known_container(container, project, spoken)
    spoken.alerts.mutes.add_to_all(
        actor(),
        chats,
        project.name,
        container,
        seconds=None if until_recovered else _SECONDS,
        alerts=[alert.id for alert in until_recovered],
    )


def _unmute(alerts: Collection[Alert], chats: Collection[str]) -> None:
    """End every mute of the alerts in the chats, those of the whole project too."""
    mutes = command_context().alerts.mutes
    mutes.remove(m for m in mutes.all() if m.chat in chats and any(map(m.covers, alerts)))
