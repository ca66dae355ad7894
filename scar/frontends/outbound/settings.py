"""The setting of the outbound notifications."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scar.settings import FrontEndSettings, secret
from scar.settings.parsers import InvalidValue
from scar.settings.setting import setting

_URL = re.compile(r"[a-z][a-z0-9+]{1,19}://\S+")
_MOST = 20


def _urls(text: str) -> tuple[str, ...]:
    """Parse addresses separated by spaces, since an address may contain a comma."""
    urls = tuple(text.split())
    for number, url in enumerate(urls, 1):
        if not _URL.fullmatch(url):
            raise InvalidValue(f"entry {number} is not an address such as ntfys://TOPIC")
    if len(urls) > _MOST:
        raise InvalidValue(f"has more than {_MOST} addresses")
    return urls


@dataclass(frozen=True)
class OutboundSettings(FrontEndSettings):
    """Settings of the outbound notifications, which run where `urls` are set."""

    urls: tuple[str, ...] = setting(
        "SCAR_ALERT_URLS",
        _urls,
        "who else is told of every alert: addresses as Apprise knows them (`ntfys://TOPIC`, "
        "`mailto://...`, ...), with spaces between them",
        default="",
        secrets=secret.addresses,
    )
