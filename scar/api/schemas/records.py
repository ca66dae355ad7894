"""Plans and results of jobs, as `/openapi.json` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from scar.jobs.results.json_record import JsonRecord, schema_of
from scar.json_object import JsonObject


class RecordByKind(fields.Raw):
    """A JSON object whose schema follows from the job's kind, or null."""

    def __init__(self, records: Mapping[str, type[JsonRecord]]) -> None:
        names = ", ".join(f"`{kind}`: {record.__name__}" for kind, record in records.items())
        super().__init__(
            required=True, allow_none=True, metadata={"description": f"By kind: {names}"}
        )
        self.schemas: list[type[Schema]] = list(
            dict.fromkeys(schema_of(record) for record in records.values())
        )


def any_record(converter: Any, field: fields.Field[Any], **_: object) -> JsonObject:
    """Describe a `RecordByKind`: an attribute function of apispec's `converter`.

    It is `anyOf` and not `oneOf`, since a record without required keys fits every object.
    """
    if not isinstance(field, RecordByKind):
        return {}
    records = [converter.resolve_nested_schema(schema) for schema in field.schemas]
    return {"anyOf": [*records, {"type": "null"}]}
