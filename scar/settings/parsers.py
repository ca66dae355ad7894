"""The parsers of settings' values, one for each format.

A parser returns the value or raises `InvalidValue`, whose message never contains the text, since
that may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from scar.role import Role
from scar.settings.quiet_hours import QuietHours

SECRET_KEY_LENGTH = 16
"""Fewest characters of `SCAR_SECRET_KEY`: the key that signs jobs must not be guessed."""

_LONGEST_WAIT = 86_400.0
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CLONE_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[1-9][0-9]{0,4})?")
_GITHUB_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:\[bot\])?")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class InvalidValue(Exception):
    """A text that is not valid for its setting; the message says why, as in `SCAR_HOST: is not a
    name`.
    """


@dataclass(frozen=True)
class ApiToken:
    """A client of the API, from an entry `name:role:secret` of `SCAR_API_TOKENS`."""

    name: str
    role: Role
    secret: str = field(repr=False)


def absolute_path(text: str) -> Path:
    if not text.startswith("/") or not text.isprintable():
        raise InvalidValue("is not an absolute path")
    return Path(text)


def secret_key(text: str) -> str:
    if len(text) < SECRET_KEY_LENGTH:
        raise InvalidValue(f"is shorter than {SECRET_KEY_LENGTH} characters")
    return text


def name(text: str) -> str:
    """Parse the name of a host or of a project."""
    if not _NAME.fullmatch(text):
        raise InvalidValue("is not a name: small letters, digits, '.', '_', '-', at most 64")
    return text


def bot_id(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise InvalidValue("is not a number, such as the 123456 of a token 123456:ABC")
    return text


def public_key(text: str) -> str:
    """Parse an Ed25519 public key, 64 hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InvalidValue("is not a key of 64 hexadecimal digits")
    return text


def one_word(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise InvalidValue("holds a space or a character that cannot be seen")
    return text


def private_key(text: str) -> str:
    """Return a PEM key: the text itself, with `\\n` for line ends, or the file it names."""
    if text.startswith("/"):
        try:
            text = Path(text).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise InvalidValue("names a file that cannot be read") from error
    pem = text.replace("\\n", "\n").strip()
    if not pem.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in pem:
        raise InvalidValue("is no private key (PEM), nor the absolute path of one")
    return pem


def server_url(text: str) -> str:
    """Parse the address of an HTTP server, and remove a slash at its end."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidValue("is not an address such as https://example.org")
    return text.rstrip("/")


def redis_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        target = parts.path if parts.scheme == "unix" else parts.hostname
        valid = parts.scheme in ("redis", "rediss", "unix") and target and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidValue("is not a redis://, rediss:// or unix:// address")
    return text


def docker_host(text: str) -> str:
    if not re.fullmatch(r"(unix|tcp|ssh|http|https|npipe|fd)://\S*", text):
        raise InvalidValue("is not an address such as unix:///var/run/docker.sock")
    return text


def host_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port[:6]) > 65_535:
        raise InvalidValue("is not HOST:PORT")
    return text


def seconds(text: str) -> float:
    """Parse a duration of 0 seconds to one day."""
    try:
        duration = float(text)
    except ValueError:
        duration = -1.0
    if not 0 <= duration <= _LONGEST_WAIT:
        raise InvalidValue(f"is not a number of seconds from 0 to {_LONGEST_WAIT:.0f}")
    return duration


def minutes(text: str) -> float:
    """Parse a number of minutes, from 0 to an hour."""
    try:
        duration = float(text)
    except ValueError:
        duration = -1.0
    if not 0 <= duration <= 60:
        raise InvalidValue("is not a number of minutes from 0 to 60")
    return duration


def positive_seconds(text: str) -> float:
    duration = seconds(text)
    if duration == 0:
        raise InvalidValue("has to be more than 0 seconds")
    return duration


def quiet_hours(text: str) -> QuietHours:
    try:
        return QuietHours.parse(text)
    except ValueError:
        raise InvalidValue("is not FROM-TO, such as 22:00-07:00") from None


def github_users(text: str) -> dict[str, Role]:
    """Parse `LOGIN:ROLE,...`; logins become lower-case, because GitHub ignores their case."""
    return users(text, _GITHUB_LOGIN, "LOGIN:ROLE, such as octocat:operator")


def clone_hosts(text: str) -> tuple[str, ...]:
    """Parse `HOST,HOST:PORT,...`, the hosts from which `/clone` may clone."""
    hosts = tuple(entry.lower() for _, entry in _entries(text))
    for number, host in enumerate(hosts, 1):
        if not _CLONE_HOST.fullmatch(host):
            raise InvalidValue(f"entry {number} is not HOST or HOST:PORT")
    return hosts


def api_tokens(text: str) -> tuple[ApiToken, ...]:
    """Parse `NAME:ROLE:SECRET,...`; no name and no secret may occur twice."""
    tokens: list[ApiToken] = []
    for number, entry in _entries(text):
        token = _api_token(number, entry)
        if any(token.name == other.name for other in tokens):
            raise InvalidValue(f"entry {number} has the name of an entry before")
        if any(token.secret == other.secret for other in tokens):
            raise InvalidValue(f"entry {number} has the secret of an entry before")
        tokens.append(token)
    return tuple(tokens)


def _api_token(number: int, entry: str) -> ApiToken:
    token_name, _, rest = entry.partition(":")
    role, _, secret = rest.partition(":")
    if not _TOKEN_NAME.fullmatch(token_name) or not secret.strip():
        raise InvalidValue(f"entry {number} is not NAME:ROLE:SECRET")
    return ApiToken(token_name, _role(number, role), one_word(secret))


def users(text: str, id_pattern: re.Pattern[str], form: str) -> dict[str, Role]:
    """Parse `ID:ROLE,...` and convert the ids to small letters; `form` describes an entry in
    errors.
    """
    roles: dict[str, Role] = {}
    for number, entry in _entries(text):
        id, colon, role = entry.rpartition(":")
        if not colon or not id_pattern.fullmatch(id.strip()):
            raise InvalidValue(f"entry {number} is not {form}")
        key = id.strip().lower()
        if key in roles:
            raise InvalidValue(f"entry {number} names somebody who was named before")
        roles[key] = _role(number, role)
    return roles


def _entries(text: str) -> list[tuple[int, str]]:
    """Split at commas and number the entries. Errors name an entry by its number, because its
    text may be a secret.
    """
    entries = [(number, entry.strip()) for number, entry in enumerate(text.split(","), 1)]
    return [(number, entry) for number, entry in entries if entry]


def _role(number: int, word: str) -> Role:
    try:
        return Role.parse(word.strip())
    except ValueError as error:
        raise InvalidValue(f"entry {number} has an {error}") from error
