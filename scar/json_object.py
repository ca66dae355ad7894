"""`JsonObject`, the type of JSON objects where they are parsed or written, and how untrusted ones
are read; other code uses dataclasses.
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
"""The exceptions that parsing a malformed JSON text can raise."""


def member(content: JsonObject, name: str, kind: type[T] | UnionType) -> T:
    """Return the member `name` of an object; raise `TypeError` if its type is not `kind`, and
    `LookupError` if it is missing.
    """
    value = content[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value
