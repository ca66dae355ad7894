"""The alerts that the visitor may see and that have not recovered."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scar.access import Role
from scar.alerts.alert import Alert
from scar.alerts.alert_book import AlertBook
from scar.alerts.alert_chats import chats_of
from scar.api.auth import actor, known_everywhere, visible_projects
from scar.api.context import context
from scar.api.page.spoken import Choice, choices
from scar.commands.release_lines import short_id
from scar.projects import Project

HOSTS = ""
"""The key of the alerts about whole hosts, which only people with a role on every project see."""


@dataclass(frozen=True)
class ShownAlert:
    """An alert on the screen of its project. `may_mute`: some chat is told of it, and the visitor
    may silence that; `is_muted`: no chat is told of it now.
    """

    alert: Alert
    may_mute: bool
    is_muted: bool


def told_chats(project: Project) -> tuple[str, ...]:
    """Return the chats that are told of a project's alerts."""
    services = context().services
    switches = services.command_context.alerts.chats.switches()
    return chats_of(project, switches, services.access)


def shown_alerts(alerts: Sequence[Alert], project: Project) -> list[ShownAlert]:
    """Return the alerts of a project with what the visitor may do about their messages."""
    if not alerts:
        return []
    chats, now = set(told_chats(project)), int(time.time() * 1000)
    mutes = context().services.command_context.alerts.mutes.all()
    may_mute = bool(chats) and context().services.access.allows(actor(), Role.OPERATOR, project)

    def is_muted(alert: Alert) -> bool:
        silent = {m.chat for m in mutes if m.covers(alert) and m.holds(now, alerts)}
        return bool(chats) and chats <= silent

    return [ShownAlert(alert, may_mute, is_muted(alert)) for alert in alerts]


def open_alerts() -> Mapping[str, Sequence[Alert]]:
    """Return the open alerts by project, oldest first."""
    services, visible = context().services, visible_projects()
    by_project: dict[str, list[Alert]] = defaultdict(list)
    for alert in AlertBook(services.redis, services.signatures).all():
        of = visible.get(alert.project)
        shown = alert.is_of(of) if alert.project else known_everywhere()
        if alert.is_open and shown:
            by_project[alert.project].append(alert)
    return by_project


def remedies(alerts: Sequence[Alert], project: Project) -> list[Choice]:
    """Return the buttons against a project's alerts: a rollback to the release before."""
    earlier = {alert.rollback_to.id for alert in alerts if alert.rollback_to is not None}
    buttons = [
        (f"⏪ Back to {short_id(id)}", f"/docker_rollback {project.name} {short_id(id)}")
        for id in sorted(earlier, reverse=True)
    ]
    return choices(project, *buttons)
