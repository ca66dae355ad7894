"""The alerts that the visitor may see and that have not recovered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from scar.alerts.alert import Alert
from scar.alerts.alert_book import AlertBook
from scar.api.auth import known_everywhere, visible_projects
from scar.api.context import context
from scar.api.page.spoken import Choice, choices
from scar.commands.release_lines import short_id
from scar.projects import Project

HOSTS = ""
"""The key of the alerts about whole hosts, which only people with a role on every project see."""


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
