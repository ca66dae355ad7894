"""Schemas of `/commands`."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from scar.api.schemas.fields import ClosedSchema, text


class WordsSchema(ClosedSchema):
    """The words that are typed behind a command."""

    words = fields.List(
        fields.String(validate=validate.Length(1, 1000)),
        load_default=list,
        validate=validate.Length(max=200),
    )


class AnsweredSchema(Schema):
    """Response of `/commands`: the reply as a chat would show it."""

    text = text()
