"""The arguments of a kind of job: one schema checks them and describes them in `/openapi.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

_LONGEST_NAME = 128
_LONGEST_GREP = 200


class NoArguments(Schema):
    """A schema without arguments, and the base of all others. Unknown arguments are refused."""

    class Meta:
        unknown = RAISE


def pattern(text: str, what: str) -> validate.Regexp:
    """Return a validator for texts that match the whole pattern; `/openapi.json` shows the same
    pattern.
    """
    return validate.Regexp(f"^(?:{text})$(?!\\n)", error=f"is not {what}")


class WholeNumber(fields.Integer):
    """A JSON number without a fraction. marshmallow's `Integer` would also accept `true` and
    texts.
    """

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON Schema counts 5.0 as an integer
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("is not a whole number")
        return super()._deserialize(value, *args, **kwargs)


def container_field() -> fields.String:
    """Return the field of a container's name."""
    return fields.String(validate=validate.Length(1, _LONGEST_NAME, error="is not a name"))


def grep_field() -> fields.String:
    """Return the field for the text that a log line must contain."""
    return fields.String(
        validate=validate.Length(1, _LONGEST_GREP, error="is empty or too long"),
        metadata={"description": "Words that a line must have, in any order and case"},
    )


def options_among(
    words: Sequence[str], names: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the words before the first option, and what follows each: `shop grep a b since 1h` is
    `shop`, and `a b` and `1h` of two options.
    """
    first = next((at for at, word in enumerate(words) if word in names), len(words))
    options: dict[str, list[str]] = {}
    for word in words[first:]:
        if word in names and word not in options:
            options[word] = values = []
        else:
            values.append(word)
    return tuple(words[:first]), {name: " ".join(values) for name, values in options.items()}


def first_problem(error: ValidationError) -> str:
    """Return the first mistake: `'lines' is not a whole number`."""
    for name, messages in error.messages_dict.items():
        if messages == ["Unknown field."]:
            return f"There is no argument '{str(name)[:64]}'"
        if messages == ["Missing data for required field."]:
            return f"'{name}' is missing"
        words = str(messages[0]).rstrip(".") if isinstance(messages, list) else "is wrong"
        return f"'{str(name)[:64]}' {words[:1].lower()}{words[1:]}"
    return "The arguments are wrong"
