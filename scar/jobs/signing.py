"""Signatures on everything that makes a worker act.

HMAC-SHA256 by `itsdangerous`, with a salt for each kind of text, so that a signature of one kind
is not valid for another. Without the key, write access to Redis is enough to spoil records, but
not to make a worker act.
"""

from __future__ import annotations

import hashlib
import json

from itsdangerous import Signer

from scar.json_object import JsonObject

WAKEUP = "bell"
"""What a wake-up is signed as: the name that workers of every version know."""

_SALTS = (
    *("request", "plan", "confirmation", "cancellation", WAKEUP, "service"),
    *("letter", "push", "choice"),
)


class Signatures:
    """Signs and checks texts with the key that front-ends, API and workers share.

    The kinds: `request` (a job as it was submitted), `plan` (as a worker made it), `confirmation`,
    `cancellation`, `WAKEUP` (a job's id on a host's queue), `service` (a front-end's access to the
    API), `letter` (of an inbox), `push` (that waits for its deploy), `choice` (of a menu).
    """

    def __init__(self, secret_key: str) -> None:
        self._signers = {
            salt: Signer(
                secret_key,
                salt=f"scar.{salt}",
                key_derivation="hmac",
                digest_method=hashlib.sha256,
            )
            for salt in _SALTS
        }

    def sign(self, kind: str, text: str) -> str:
        """Return the signature of `text` as a `kind`."""
        return self._signers[kind].get_signature(text.encode()).decode()

    def valid(self, kind: str, text: str, signature: str) -> bool:
        """Return whether `signature` is that of `text` as a `kind`, compared in constant time."""
        return self._signers[kind].verify_signature(text.encode(), signature.encode())

    def seal(self, kind: str, content: JsonObject) -> str:
        """Return the content as JSON with its signature in front: what `unseal` opens."""
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return f"{self.sign(kind, text)}.{text}"

    def unseal(self, kind: str, sealed: str | None) -> JsonObject | None:
        """Return the content of a sealed text; None where the signature is not valid."""
        signature, dot, text = (sealed or "").partition(".")
        if not dot or not self.valid(kind, text, signature):
            return None
        content = json.loads(text)
        return content if isinstance(content, dict) else None
