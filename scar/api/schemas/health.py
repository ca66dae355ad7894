"""Schemas of `/healthz` and `/readyz`."""

from __future__ import annotations

from marshmallow import Schema, fields

from scar.api.schemas.fields import text


class AliveSchema(Schema):
    """Response of `/healthz`: the API process is running."""

    status = text()


class ReadySchema(Schema):
    """Response of `/readyz`: Redis accepts writes and every host has a worker."""

    status = text()
    hosts = fields.Integer(required=True)
