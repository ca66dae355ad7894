"""Schemas of `/hosts`."""

from __future__ import annotations

from marshmallow import Schema, fields

from scar.api.schemas.fields import cursor, moment, page, text


class WorkerSchema(Schema):
    """A worker whose heartbeat has not expired."""

    id = text()
    pid = fields.Integer(required=True, allow_none=True)
    started_at = moment(none=True)


class HostSchema(Schema):
    """A host with at least one live worker."""

    name = text()
    workers = fields.List(fields.Nested(WorkerSchema), required=True)
    engine = fields.Dict(required=True, metadata={"description": "`version`, or `error`"})
    queue_length = fields.Integer(required=True)


HostsPage = page("HostsPage", fields.Nested(HostSchema), cursor())
