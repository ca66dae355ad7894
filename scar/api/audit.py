"""`/audit`: the audit trail, for admins."""

from __future__ import annotations

from itertools import islice

from flask import Response

from scar.access import Role
from scar.api.auth import require
from scar.api.context import context
from scar.api.resource import Resource, answer
from scar.api.schemas.audit import AuditPage, AuditQuery
from scar.json_object import JsonObject

resource = Resource("audit", __name__, description="Who asked for what, and how it ended")


@resource.route("/audit")
@resource.arguments(AuditQuery, location="query")
@resource.response(200, AuditPage)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(403, response="FORBIDDEN")
def audit(query: JsonObject) -> Response:
    """The audit trail, newest entry first"""
    require(Role.ADMIN)
    limit = query["limit"]
    trail = context().services.audit.recent(before=query.get("cursor"), batch=limit + 1)
    entries = list(islice(trail, limit + 1))
    following = entries[limit - 1].id if len(entries) > limit else None
    return answer({"items": [entry.to_json() for entry in entries[:limit]], "next": following})
