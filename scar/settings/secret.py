"""Which part of a setting's value is secret."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from scar.settings.parsers import ApiToken


def whole_value(value: str) -> Iterable[str]:
    """The value itself."""
    return (value,)


def password_in_url(url: str) -> Iterable[str]:
    """The password in an address, as written and percent-decoded."""
    password = urlsplit(url).password
    return {password, unquote(password)} if password else ()


def token_secrets(tokens: tuple[ApiToken, ...]) -> Iterable[str]:
    """The secret of each token."""
    return (token.secret for token in tokens)
