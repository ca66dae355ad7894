"""Recognises environment variables that hold secrets by their names, and passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

_SHORTEST = 6

_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|authorization"
    r"|(?:api|access|private|signing|encryption|app|master|session|ssh|license|sentry)[_.-]?key"
    r"|(?:^|[_.-])(?:pass|pwd|dsn|auth)(?:$|[_.-])",
    re.IGNORECASE,
)
# Each name that `_SECRET_NAME` knows has one of these in it.
_PARTS = ("pass", "secret", "token", "credential", "auth", "key", "pwd", "dsn")
_NOT_A_SECRET_NAME = re.compile(
    r"[_.-](?:file|path|dir|type|ttl|expiry|expires|expires_in|length|limit|count|algorithm|name)$",
    re.IGNORECASE,
)


def secret_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secret values in `env`, the longest first.

    These are the values of variables whose names look secret, and the passwords in any URL.
    """
    values: set[str] = set()
    for name, value in env.items():
        if looks_secret(name) or name.upper().endswith("_KEY"):
            values.add(value)
        values |= set(_passwords(value))
    return tuple(sorted(filter(can_be_masked, values), key=lambda value: (-len(value), value)))


def looks_secret(name: str) -> bool:
    """Return whether a variable called `name` is likely to hold a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_A_SECRET_NAME.search(name)


def may_name_a_secret(text: str) -> bool:
    """Return whether `text` may have a name in it that looks secret: a quick first look."""
    lower = text.lower()
    return any(part in lower for part in _PARTS)


def can_be_masked(value: str) -> bool:
    """Return whether `value` is long enough to be masked; short values would match ordinary
    words.
    """
    return len(value) >= _SHORTEST and bool(value.strip("*"))


def _passwords(value: str) -> Iterator[str]:
    """Yield the password in a URL, both as written and percent-decoded."""
    if "://" not in value:
        return
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
