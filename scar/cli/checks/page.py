"""Checks whether people can reach the page, and sign in there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from scar.cli.checks.check import Check
from scar.registration.spec import Finding
from scar.settings import Settings

_FORM = 'name="token"'


def _check_page(settings: Settings) -> Iterator[Finding]:
    address = settings.page_url or settings.api_url
    name = urlsplit(address).hostname or ""
    remedy = "Let a proxy with TLS pass it on to the API, with `Host`, or mend SCAR_PAGE_URL."
    try:
        answer = httpx.get(f"{address}/sign-in", timeout=5)
    except httpx.HTTPError as error:
        yield Finding("page", f"{address} cannot be reached: {type(error).__name__}", remedy)
        return
    if not answer.is_success or _FORM not in answer.text:
        yield Finding("page", f"{address}/sign-in answers {answer.status_code}, not SCAR", remedy)
    elif address.startswith("http://") and not _is_loopback(name):
        yield Finding(
            "page",
            f"{address} is http: nobody can sign in there",
            "Put a proxy with TLS before the API and set SCAR_PAGE_URL to its https:// address.",
        )
    else:
        elsewhere = "" if settings.page_url else "; SCAR_PAGE_URL is for people elsewhere"
        yield Finding("page", f"{address} answers{elsewhere}. {_shared(name)}")


def _shared(name: str) -> str:
    return f"Whatever else is served on {name}, on any port, is sent the cookie of who is signed in"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


CHECKS = (Check("page", _check_page, needs=("api",)),)
