"""`JsonObject`, the type of JSON objects where they are parsed or written, and how one is read that
somebody else wrote; other code uses dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

JsonObject: TypeAlias = Mapping[str, Any]
"""A parsed JSON object, or one that is about to be written."""

MALFORMED = (
    *(ArithmeticError, AttributeError, LookupError),
    *(RecursionError, TypeError, ValueError),
)
"""What reading a JSON text raises that has another form than it must have."""


def member(content: JsonObject, name: str, kind: type[T] | UnionType) -> T:
    """Return what an object has by a name; raise `TypeError` where it is of another type than
    `kind`, and `LookupError` where it is missing.
    """
    value = content[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value
