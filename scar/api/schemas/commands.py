"""Commands that are answered without a job."""

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
    """What a chat would show."""

    text = text()
