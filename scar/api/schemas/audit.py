"""Schemas of `/audit`."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from scar.api.schemas.fields import ClosedSchema, Number, cursor, moment, page, text


class AuditQuery(ClosedSchema):
    """Query of `/audit`: how many entries to return."""

    limit = Number(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Regexp(r"^[1-9][0-9]{0,14}-[0-9]{1,9}$"))


class AuditSchema(Schema):
    """One entry of the audit trail."""

    id = text()
    at = moment()
    actor = text()
    name = text()
    action = text()
    project = text(none=True)
    job = text(none=True)
    outcome = text()


AuditPage = page("AuditPage", fields.Nested(AuditSchema), cursor())
