"""Whether the API is alive and can do its work."""

from __future__ import annotations

from marshmallow import Schema, fields

from scar.api.schemas.fields import text


class AliveSchema(Schema):
    """The process answers."""

    status = text()


class ReadySchema(Schema):
    """Redis and workers can be reached."""

    status = text()
    hosts = fields.Integer(required=True)
