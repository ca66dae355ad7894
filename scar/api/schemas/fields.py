"""Field types that several schemas of the API share."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

JOB_ID = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def text(required: bool = True, *, none: bool = False, **metadata: Any) -> fields.String:
    """Return a string field; `metadata` is added to its description in OpenAPI."""
    return fields.String(required=required, allow_none=none, metadata=metadata)


def moment(*, none: bool = False) -> fields.String:
    """Return a string field for a time in RFC 3339 format."""
    return text(none=none, format="date-time")


class Number(fields.Integer):
    """A whole number in a query string: ASCII digits alone, without sign or spaces."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        digits = str(value)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
            raise ValidationError("Not a whole number.")
        return super()._deserialize(digits, *args, **kwargs)


class Seconds(fields.Float):
    """A number of seconds in a query string: ASCII digits with at most one point."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        digits = str(value)
        if not (digits.isascii() and digits.replace(".", "", 1).isdigit() and len(digits) <= 15):
            raise ValidationError("Not a number of seconds.")
        return super()._deserialize(digits, *args, **kwargs)


class ClosedSchema(Schema):
    """Base of request schemas: unknown fields are an error."""

    class Meta:
        unknown = RAISE


def cursor() -> fields.String:
    """Return the field `next` of a page: the id to pass as the query's `cursor`, null on the
    last page.
    """
    return text(none=True)


def page(
    name: str, item: fields.Field[Any], next_: fields.Field[Any], **more: fields.Field[Any]
) -> type[Schema]:
    """Return the schema of a paged list, which has `items`, `next`, and the fields in `more`."""
    items = fields.List(item, required=True)
    return Schema.from_dict({"items": items, "next": next_, **more}, name=name)
