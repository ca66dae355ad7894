"""Frozen dataclasses that are passed as JSON between workers, the API and front-ends.

The marshmallow schema of a dataclass is derived from its annotations. In `Annotated[int, "Bytes"]`,
the text is the field's description in `/openapi.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Self,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import marshmallow
from marshmallow import EXCLUDE, Schema, ValidationError, post_load
from marshmallow import fields as json_fields

from scar.errors import ScarError
from scar.json_object import JsonObject

_T = TypeVar("_T")


class Absent(Enum):
    """The value of a field that is missing from the JSON, as opposed to `None`, which is JSON's
    null.
    """

    ABSENT = "absent"

    def __bool__(self) -> Literal[False]:
        return False


ABSENT: Final = Absent.ABSENT


def present(value: _T | Absent) -> _T | None:
    """Return the value; None if the field is missing from the JSON."""
    return None if isinstance(value, Absent) else value


@dataclass(frozen=True)
class JsonRecord:
    """Base of plans, results and their parts.

    A field is a str, int, float or bool, another record, or a tuple of one of these; `| None` and
    `| Absent` may be added. A field whose value equals its default is omitted from the JSON.
    """

    def to_json(self) -> JsonObject:
        """Return the record as a JSON object."""
        return cast("dict[str, Any]", schema_of(type(self))().dump(self))

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Parse a JSON object, including one of an earlier or later version. A missing key becomes
        the field's default, or without one None or the type's empty value; unknown keys are
        ignored.

        Raises `internal` if a value has the wrong type.
        """
        try:
            return cast("Self", schema_of(cls)(partial=True).load(document))
        except ValidationError as error:
            names = ", ".join(f"'{name}'" for name in cast("dict[str, Any]", error.messages))
            raise ScarError(
                "internal",
                f"The job's {cls.__name__} cannot be read: {names} has an unexpected form",
                "Run every part of SCAR in the same version, then ask again.",
            ) from error


class _RecordSchema(Schema):
    """Base of the derived schemas; loading returns an instance of `record`.

    `defaults` are the fields that may be omitted, with their defaults; `empty` are the values of
    all other fields if a key is missing because an earlier version wrote the JSON.
    """

    record: ClassVar[type[JsonRecord]]
    defaults: ClassVar[JsonObject]
    empty: ClassVar[JsonObject]

    class Meta:
        unknown = EXCLUDE

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        value = getattr(obj, attr, default)
        left_out = attr in self.defaults and value == self.defaults[attr]
        return marshmallow.missing if left_out else value

    @post_load
    def _make(self, values: JsonObject, **_: Any) -> JsonRecord:
        return self.record(**{**self.empty, **values})


_schemas: dict[type[JsonRecord], type[Schema]] = {}


def schema_of(record: type[JsonRecord]) -> type[Schema]:
    """Return the schema of a record, derived once; keys that are always written are `required`."""
    if record not in _schemas:
        _schemas.setdefault(record, _derived(record))
    return _schemas[record]


def _derived(record: type[JsonRecord]) -> type[Schema]:
    hints = get_type_hints(record, include_extras=True)
    names = [f.name for f in fields(record)]
    defaults = {f.name: f.default for f in fields(record) if f.default is not MISSING}
    json = {name: _field(hints[name], required=name not in defaults) for name in names}
    schema = cast("type[_RecordSchema]", _RecordSchema.from_dict(json, name=record.__name__))
    schema.record = record
    schema.defaults = defaults
    schema.empty = {name: _empty(hints[name]) for name in names if name not in defaults}
    return schema


_SCALARS: Mapping[object, type[json_fields.Field[Any]]] = {
    str: json_fields.String,
    int: json_fields.Integer,
    float: json_fields.Float,
    bool: json_fields.Boolean,
}


def _field(annotation: Any, **options: Any) -> json_fields.Field[Any]:
    """Return the marshmallow field for an annotation; raise `TypeError` if the type is not
    supported.
    """
    kind, null, description = _parts(annotation)
    options |= {"allow_none": null, "metadata": description}
    if kind in _SCALARS:
        return _SCALARS[kind](**options)
    if get_origin(kind) is tuple and get_args(kind)[1:] == (...,):
        return json_fields.List(_field(get_args(kind)[0]), post_load=tuple, **options)
    if isinstance(kind, type) and issubclass(kind, JsonRecord):
        return json_fields.Nested(schema_of(kind), **options)
    raise TypeError(f"{annotation} cannot be the type of a JsonRecord's field")


def _empty(annotation: Any) -> Any:
    kind, null, _ = _parts(annotation)
    if null:
        return None
    return kind.from_json({}) if kind not in _SCALARS and get_origin(kind) is None else kind()


def _parts(annotation: Any) -> tuple[Any, bool, dict[str, str]]:
    """Split an annotation into its type, whether null is allowed, and the description."""
    description = {}
    if get_origin(annotation) is Annotated:
        annotation, text = get_args(annotation)
        description = {"description": text}
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = [option for option in options if option not in (NoneType, Absent)]
    if len(kinds) != 1:
        raise TypeError(f"{annotation} cannot be the type of a JsonRecord's field")
    return kinds[0], NoneType in options, description
