"""What the value of a setting may be: each kind is read by one function, or refused.

They raise `ValidationError` with words that do not hold the value, which may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from marshmallow import ValidationError

from scar.role import Role

SECRET_KEY_LENGTH = 16
"""Fewest characters of `SCAR_SECRET_KEY`: what signs jobs must not be guessed."""

_LONGEST_WAIT = 86_400.0
_HOST = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CLONE_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[1-9][0-9]{0,4})?")
_GITHUB_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:\[bot\])?")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ApiToken:
    """A client of the HTTP API: `name:role:secret` in `SCAR_API_TOKENS`."""

    name: str
    role: Role
    secret: str = field(repr=False)


def absolute(value: str) -> Path:
    """An absolute path."""
    if not value.startswith("/") or not value.isprintable():
        raise ValidationError("is not an absolute path")
    return Path(value)


def secret_key(value: str) -> str:
    """A key that is long enough."""
    if len(value) < SECRET_KEY_LENGTH:
        raise ValidationError(f"is shorter than {SECRET_KEY_LENGTH} characters")
    return value


def name(value: str) -> str:
    """The name of a host or a project."""
    if not _HOST.fullmatch(value):
        raise ValidationError("is not a name: small letters, digits, '.', '_', '-', at most 64")
    return value


def one_word(value: str) -> str:
    """A word without spaces."""
    if not value.isprintable() or " " in value:
        raise ValidationError("holds a space or a character that cannot be seen")
    return value


def private_key(value: str) -> str:
    """The key itself (line ends may be written as `\\n`), or the file that holds it."""
    if value.startswith("/"):
        try:
            value = Path(value).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise ValidationError("names a file that cannot be read") from error
    text = value.replace("\\n", "\n").strip()
    if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in text:
        raise ValidationError("is no private key (PEM), nor the absolute path of one")
    return text


def telegram_token(value: str) -> str:
    """A bot's token."""
    if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", value):
        raise ValidationError("is not a bot token: NUMBER:LETTERS, as @BotFather gives it")
    return value


def root(value: str) -> str:
    """A server's address, without a slash at its end."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValidationError("is not an address such as https://example.org")
    return value.rstrip("/")


def redis_url(value: str) -> str:
    """The address of a Redis."""
    try:
        parts = urlsplit(value)
        place = parts.path if parts.scheme == "unix" else parts.hostname
        good = parts.scheme in ("redis", "rediss", "unix") and place and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValidationError("is not a redis://, rediss:// or unix:// address")
    return value


def docker_host(value: str) -> str:
    """Where the Engine listens."""
    if not re.fullmatch(r"(unix|tcp|ssh|http|https|npipe|fd)://\S*", value):
        raise ValidationError("is not an address such as unix:///var/run/docker.sock")
    return value


def bind(value: str) -> str:
    """`HOST:PORT`."""
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port[:6]) > 65_535:
        raise ValidationError("is not HOST:PORT")
    return value


def seconds(value: str) -> float:
    """From 0 to a day."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise ValidationError(f"is not a number of seconds from 0 to {_LONGEST_WAIT:.0f}")
    return seconds


def positive_seconds(value: str) -> float:
    """More than 0 seconds, to a day."""
    if (found := seconds(value)) == 0:
        raise ValidationError("has to be more than 0 seconds")
    return found


def _entries(value: str) -> list[tuple[int, str]]:
    """The entries between commas with their number; an entry itself may be a secret."""
    return [(at, text.strip()) for at, text in enumerate(value.split(","), 1) if text.strip()]


def _role(word: str, at: int) -> Role:
    try:
        return Role.parse(word.strip())
    except ValueError as error:
        raise ValidationError(f"entry {at} has an {error}") from error


def _users(value: str, known_id: re.Pattern[str], form: str) -> dict[str, Role]:
    found: dict[str, Role] = {}
    for at, text in _entries(value):
        name, colon, word = text.rpartition(":")
        if not colon or not known_id.fullmatch(name.strip()):
            raise ValidationError(f"entry {at} is not {form}")
        if name.strip().lower() in found:
            raise ValidationError(f"entry {at} names somebody who was named before")
        found[name.strip().lower()] = _role(word, at)
    return found


def telegram_users(value: str) -> dict[str, Role]:
    """`USER_ID:ROLE,...`"""
    return _users(value, re.compile(r"[1-9][0-9]{0,19}"), "USER_ID:ROLE, such as 12345:admin")


def github_users(value: str) -> dict[str, Role]:
    """`LOGIN:ROLE,...`"""
    # GitHub's logins are the same in any case.
    return _users(value, _GITHUB_LOGIN, "LOGIN:ROLE, such as octocat:operator")


def clone_hosts(value: str) -> tuple[str, ...]:
    """`HOST,HOST:PORT,...`"""
    found = tuple(text.lower() for _, text in _entries(value))
    for at, host in enumerate(found, 1):
        if not _CLONE_HOST.fullmatch(host):
            raise ValidationError(f"entry {at} is not HOST or HOST:PORT")
    return found


def tokens(value: str) -> tuple[ApiToken, ...]:
    """`NAME:ROLE:SECRET,...`"""
    found: list[ApiToken] = []
    for at, text in _entries(value):
        name, _, rest = text.partition(":")
        word, _, secret = rest.partition(":")
        if not _TOKEN_NAME.fullmatch(name) or not secret.strip():
            raise ValidationError(f"entry {at} is not NAME:ROLE:SECRET")
        role = _role(word, at)
        one_word(secret)
        if any(name == other.name for other in found):
            raise ValidationError(f"entry {at} has the name of an entry before")
        if any(secret == other.secret for other in found):
            raise ValidationError(f"entry {at} has the secret of an entry before")
        found.append(ApiToken(name, role, secret))
    return tuple(found)
