"""What the schemas are made of."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

JOB_ID = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def text(required: bool = True, *, none: bool = False, **metadata: Any) -> fields.String:
    """Make a string field; `metadata` goes into the description of the API."""
    return fields.String(required=required, allow_none=none, metadata=metadata)


def moment(*, none: bool = False) -> fields.String:
    """Make a field for a time as RFC 3339 has it."""
    return text(none=none, format="date-time")


class Number(fields.Integer):
    """A whole number in plain ASCII digits, as a query has it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        digits = str(value)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
            raise ValidationError("Not a whole number.")
        return super()._deserialize(digits, *args, **kwargs)


class Seconds(fields.Float):
    """A number of seconds in plain ASCII digits, as a query has it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        digits = str(value)
        if not (digits.isascii() and digits.replace(".", "", 1).isdigit() and len(digits) <= 15):
            raise ValidationError("Not a number of seconds.")
        return super()._deserialize(digits, *args, **kwargs)


class ClosedSchema(Schema):
    """A part of a request: what it does not name is refused."""

    class Meta:
        unknown = RAISE


def cursor() -> fields.String:
    """Make the `next` of a list whose pages are found by an id."""
    return text(none=True)


def page(
    name: str, item: fields.Field[Any], next_: fields.Field[Any], **more: fields.Field[Any]
) -> type[Schema]:
    """Make the schema of a list: every list of the API has `items` and `next`."""
    items = fields.List(item, required=True)
    return Schema.from_dict({"items": items, "next": next_, **more}, name=name)
