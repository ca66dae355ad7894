"""The answer to GitHub."""

from __future__ import annotations

from marshmallow import Schema

from scar.api.schemas.fields import text


class DeliverySchema(Schema):
    """What became of a delivery: `taken`, `known` (it was taken before) or `ignored`."""

    status = text()
