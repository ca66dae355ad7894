"""Schemas of `/jobs/{id}/events`."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from scar.api.schemas.fields import ClosedSchema, Number, Seconds, moment, page, text


class EventsQuery(ClosedSchema):
    """Query for a job's events: after which event, and how many seconds to wait for a new one."""

    after = Number(validate=validate.Range(0))
    wait = Seconds(validate=validate.Range(0, 60))
    limit = Number(load_default=1000, validate=validate.Range(1, 1000))


class EventSchema(Schema):
    """One event of a job; its type is `job`, `step`, `progress`, `output` or `result`."""

    id = fields.Integer(required=True)
    type = text()
    at = moment()
    data = fields.Dict(required=True)


EventsPage = page(
    "EventsPage", fields.Nested(EventSchema), fields.Integer(required=True, allow_none=True)
)
