"""Signs everything that makes a worker act, with HMAC-SHA256 by `itsdangerous`.

Each kind of text has its own salt, so that a signature of one kind is not valid for another.
Without the key, whoever can write to Redis can corrupt records, but cannot make a worker act.
"""

from __future__ import annotations

import hashlib
import json

from itsdangerous import Signer

from scar.json_object import JsonObject

WAKEUP = "bell"
"""The kind under which wake-up messages are signed. Workers of every version use this name."""

_SALTS = (
    *("request", "plan", "confirmation", "cancellation", WAKEUP, "service"),
    *("letter", "push", "choice"),
)


class Signatures:
    """Signs texts, and checks signatures, with the key that front-ends, API and workers share.

    The kinds: `request` (a job's request), `plan` (made by a worker), `confirmation`,
    `cancellation`, `WAKEUP` (a job's id on a host's queue), `service` (a front-end's token for the
    API), `letter` (an entry of an inbox), `push` (a Git push that waits for its deploy), `choice`
    (the choices of a menu).
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
        """Return the signature of `text` for the given kind."""
        return self._signers[kind].get_signature(text.encode()).decode()

    def valid(self, kind: str, text: str, signature: str) -> bool:
        """Return whether `signature` is valid for `text` and this kind; compares in constant
        time.
        """
        return self._signers[kind].verify_signature(text.encode(), signature.encode())

    def seal(self, kind: str, content: JsonObject) -> str:
        """Return the content as JSON with its signature in front, which `unseal` checks."""
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return f"{self.sign(kind, text)}.{text}"

    def unseal(self, kind: str, sealed: str | None) -> JsonObject | None:
        """Return the content of a sealed text; None if the signature is invalid."""
        signature, dot, text = (sealed or "").partition(".")
        if not dot or not self.valid(kind, text, signature):
            return None
        content = json.loads(text)
        return content if isinstance(content, dict) else None
