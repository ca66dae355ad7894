"""Schemas of `/alerts`."""

from __future__ import annotations

from marshmallow import Schema, fields

from scar.api.schemas.fields import ClosedSchema, cursor, moment, page, text


class AlertsQuery(ClosedSchema):
    """Which alerts are wanted; all of them where nothing is given."""

    project = fields.String(metadata={"description": "Those of one project"})
    open = fields.Boolean(
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "Whether they have not recovered"},
    )


class ReleaseRefSchema(Schema):
    """A release that an alert names."""

    id = text()
    at = moment()
    by = text()
    commit = text(required=False, none=True)


class AlertSchema(Schema):
    """One alert. What concerns a whole host has no project and no container."""

    id = text()
    group = text(description="Alerts of one group most likely have one cause")
    host = text()
    project = text()
    container = text()
    service = text()
    rule = text(description="`unhealthy`, `exited`, `out_of_memory`, `restart_loop`, `gone`, ...")
    severity = text(enum=["critical", "warning"])
    what = text()
    why = text()
    opened_at = moment()
    changed_at = moment()
    closed_at = moment(none=True)
    version = fields.Integer(required=True)
    count = fields.Integer(required=True)
    lines = fields.List(fields.String(), required=True)
    release = fields.Nested(ReleaseRefSchema, required=True, allow_none=True)
    rollback_to = fields.Nested(ReleaseRefSchema, required=True, allow_none=True)


AlertsPage = page("AlertsPage", fields.Nested(AlertSchema), cursor())
