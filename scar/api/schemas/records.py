"""Describes jobs' plans and results in `/openapi.json`, with one schema for each kind of job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from scar.jobs.results.json_record import JsonRecord, schema_of
from scar.json_object import JsonObject


class RecordByKind(fields.Raw):
    """A JSON object, or null, whose schema depends on the kind of the job."""

    def __init__(self, records: Mapping[str, type[JsonRecord]]) -> None:
        names = ", ".join(f"`{kind}`: {record.__name__}" for kind, record in records.items())
        super().__init__(
            required=True, allow_none=True, metadata={"description": f"By kind: {names}"}
        )
        self.schemas: list[type[Schema]] = list(
            dict.fromkeys(schema_of(record) for record in records.values())
        )


def any_record(converter: Any, field: fields.Field[Any], **_: object) -> JsonObject:
    """Describe a `RecordByKind` field in OpenAPI; apispec calls this with its `converter`.

    The description uses `anyOf` instead of `oneOf`, because a record without required keys matches
    every object.
    """
    if not isinstance(field, RecordByKind):
        return {}
    records = [converter.resolve_nested_schema(schema) for schema in field.schemas]
    return {"anyOf": [*records, {"type": "null"}]}
