"""Schemas of `/github/webhook`."""

from __future__ import annotations

from marshmallow import Schema

from scar.api.schemas.fields import text


class DeliverySchema(Schema):
    """What the webhook did with a delivery: `taken`, `known` (received before) or `ignored`."""

    status = text()
