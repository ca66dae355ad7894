"""Frozen dataclasses that are JSON between worker, API and front-end.

The annotations of a dataclass are all there is to write: its marshmallow schema is derived from
them. `Annotated[int, "Bytes"]` gives a field the description that `/openapi.json` shows.
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
    """The value of a field whose key is not in the JSON; `None` is JSON's null."""

    ABSENT = "absent"

    def __bool__(self) -> Literal[False]:
        return False


ABSENT: Final = Absent.ABSENT


def present(value: _T | Absent) -> _T | None:
    """Return the value, or None where its key is absent."""
    return None if isinstance(value, Absent) else value


@dataclass(frozen=True)
class JsonRecord:
    """A plan, a result, or a part of one.

    A field is a str, int, float or bool, another record, or a tuple of one of these; `| None` and
    `| Absent` may be added. A field with a default is left out of the JSON while it has it.
    """

    def to_json(self) -> JsonObject:
        """Return the JSON object."""
        return cast("dict[str, Any]", schema_of(type(self))().dump(self))

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read a JSON object, of an earlier or later version too: a key that is missing reads as
        the field's default, else as None or what is empty of its type; unknown keys are ignored.

        Raises `internal` where a value has another type.
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
    """Makes instances of `record`. `defaults` are the fields that may be left out, with what they
    are then; `empty` is what the others read as where an earlier version did not write them.
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
    """Return the one schema of a record; keys that are always written are `required` in it."""
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
    """Return the marshmallow field of an annotation; TypeError where it can have none."""
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
    """Return the type itself, whether null is allowed, and the description."""
    description = {}
    if get_origin(annotation) is Annotated:
        annotation, text = get_args(annotation)
        description = {"description": text}
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = [option for option in options if option not in (NoneType, Absent)]
    if len(kinds) != 1:
        raise TypeError(f"{annotation} cannot be the type of a JsonRecord's field")
    return kinds[0], NoneType in options, description
