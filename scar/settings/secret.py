"""Functions that extract the secret part of a setting's value."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from scar.settings.parsers import ApiToken


def whole_value(value: str) -> Iterable[str]:
    """Return the whole value, for a setting that is secret as a whole."""
    return (value,)


def password_in_url(url: str) -> Iterable[str]:
    """Return the password in a URL, both as written and percent-decoded."""
    password = urlsplit(url).password
    return {password, unquote(password)} if password else ()


def token_secrets(tokens: tuple[ApiToken, ...]) -> Iterable[str]:
    """Return the secret of each API token."""
    return (token.secret for token in tokens)


def addresses(urls: tuple[str, ...]) -> Iterable[str]:
    """Return each address as a whole, and what follows its scheme."""
    for url in urls:
        yield from (url, url.partition("://")[2])
