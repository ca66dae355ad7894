"""`/alerts`: what goes wrong, and what has recovered within the last day."""

from __future__ import annotations

from flask import Response

from scar.alerts.alert import Alert
from scar.api.auth import known_everywhere, visible_projects
from scar.api.context import context
from scar.api.resource import Resource, answer
from scar.api.schemas.alerts import AlertsPage, AlertsQuery
from scar.jobs.timestamp import rfc3339
from scar.json_object import JsonObject

resource = Resource("alerts", __name__, description="What goes wrong with containers and hosts")


@resource.route("/alerts")
@resource.arguments(AlertsQuery, location="query")
@resource.response(200, AlertsPage)
@resource.alt_response(401, response="UNAUTHORIZED")
def alerts(query: JsonObject) -> Response:
    """Alerts of the projects that the actor may see, newest first"""
    projects = visible_projects()
    everywhere = known_everywhere()
    wanted = [
        alert
        for alert in context().services.alerts.book.all()
        if (alert.is_of(projects.get(alert.project)) if alert.project else everywhere)
        and query.get("project") in (None, alert.project)
        and query.get("open") in (None, alert.is_open)
    ]
    return answer({"items": [_item(alert) for alert in reversed(wanted)], "next": None})


def _item(alert: Alert) -> JsonObject:
    document = {**alert.to_json()}
    for name in ("opened_at", "changed_at", "closed_at"):
        document[name] = rfc3339(getattr(alert, name))
    for name in ("release", "rollback_to"):
        ref = getattr(alert, name)
        document[name] = {**ref.to_json(), "at": rfc3339(ref.at)} if ref else None
    defaults = {"version": alert.version, "count": alert.count, "lines": list(alert.lines)}
    return {**defaults, **document}
