"""Substitutes variables in the paths of a Compose file if their values are unambiguous. A path is
checked before Compose sees it, and Compose has its own rules for `.env`. Only definitions that both
parse alike are therefore used: `NAME=value` of plain characters, once, on a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([\w./-]*))?\})")
_PLAIN = r"([\w./-]*)"


class UnknownVariable(Exception):
    """Raised for a path with a variable whose value is ambiguous or unknown."""


def fill_in(path: str, env: bytes, reserved: Collection[str]) -> str:
    """Return a path with the values of its variables from the text of `.env`.

    `reserved` are variables whose values do not come from `.env`. Raises `UnknownVariable`.
    """
    lines = [line.strip() for line in env.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if not line.startswith("#")]

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in reserved or name.startswith(("COMPOSE_", "DOCKER_")):
            raise UnknownVariable
        given = _given(name, lines)
        return given or match[3] or ""

    filled = _VARIABLE.sub(value, path)
    if "$" in filled:
        raise UnknownVariable
    return filled


def _given(name: str, lines: list[str]) -> str | None:
    mentions = [line for line in lines if re.search(rf"(?<!\w){name}(?!\w)", line)]
    if not mentions:
        return None
    plain = re.fullmatch(rf"(?:export\s+)?{name}={_PLAIN}", mentions[0])
    if len(mentions) > 1 or plain is None:
        raise UnknownVariable
    if any(line.count(quote) % 2 for line in lines for quote in "\"'`"):
        raise UnknownVariable  # a value may span several lines
    return plain[1]
