"""Verifies the data with which a person opens a Mini App, which Telegram itself has signed.

Telegram signs `initData` with Ed25519 over the bot's id and its fields, so that it can be checked
without the bot's token (core.telegram.org/bots/webapps, "Validating data for Third-Party Use").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl

from scar.access import Actor
from scar.keys.key_pair import PublicKey
from scar.settings import Settings

TELEGRAM = "telegram"
_LONGEST = 4096
_NOT_SIGNED = ("hash", "signature")


@dataclass(frozen=True)
class MiniAppUser:
    """A Telegram user, and when they opened the app, in milliseconds since the epoch. `digest` is
    of what Telegram has signed, the same however the signature is written.
    """

    actor: Actor
    at: int
    digest: str


@dataclass(frozen=True)
class MiniAppProofs:
    """Checks `initData` for one bot, with Telegram's public key."""

    bot_id: str
    key: PublicKey

    @classmethod
    def of(cls, settings: Settings) -> MiniAppProofs | None:
        """Return the checks for the bot in the settings; None if there is none."""
        if settings.telegram_bot_id is None:
            return None
        key = PublicKey(TELEGRAM, bytes.fromhex(settings.telegram_public_key))
        return cls(settings.telegram_bot_id, key)

    def user(self, init_data: str) -> MiniAppUser | None:
        """Return the person who opened the app; None if Telegram has not signed the data for this
        bot.
        """
        if len(init_data) > _LONGEST:
            return None
        try:
            pairs = parse_qsl(init_data, keep_blank_values=True, strict_parsing=True)
            fields = dict(pairs)
            text = self._signed_text(fields)
            if len(fields) != len(pairs) or not self._is_signed(text, fields["signature"]):
                return None
            at = int(fields["auth_date"]) * 1000
            return MiniAppUser(_actor_of(fields["user"]), at, sha256(text).hexdigest())
        except (AttributeError, LookupError, TypeError, ValueError):
            return None

    def _signed_text(self, fields: Mapping[str, str]) -> bytes:
        lines = (f"{name}={fields[name]}" for name in sorted(fields) if name not in _NOT_SIGNED)
        return "\n".join((f"{self.bot_id}:WebAppData", *lines)).encode()

    def _is_signed(self, text: bytes, encoded: str) -> bool:
        signature = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return self.key.verifies(signature, text)


def _actor_of(text: str) -> Actor:
    user = json.loads(text)
    if not isinstance(user["id"], int) or isinstance(user["id"], bool):
        raise TypeError("the id of a user is a number")
    names = (str(user.get(part, "")) for part in ("first_name", "last_name"))
    return Actor(TELEGRAM, str(user["id"]), " ".join(filter(None, names))[:200] or "?")
