"""Checks that a job was signed by a front-end, is for this host, and has not expired."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from scar.jobs.claim import Claim
from scar.jobs.request import Request
from scar.jobs.signing import WAKEUP, Signatures
from scar.json_object import JsonObject


class Forged(Exception):
    """Raised for a job that no front-end signed, or that is not for this worker."""


@dataclass(frozen=True)
class Verification:
    """Verifies claims for `host`. `kinds` are the kinds with a handler, `begun` returns whether
    a job was ever begun on this host; `clock` returns seconds since the epoch.
    """

    host: str
    signatures: Signatures
    kinds: Collection[str]
    begun: Callable[[str], bool]
    clock: Callable[[], float] = time.time

    def wakeup(self, id: str, signature: str) -> bool:
        """Return whether a wake-up message was signed for this host."""
        return self.signatures.valid(WAKEUP, f"{self.host}/{id}", signature)

    def verify(self, claim: Claim) -> tuple[Request, str | None]:
        """Return the request, and the hash of the confirmed plan, if there is a confirmation.

        Raises `Forged` if a signature is invalid.
        """
        request = self._request(claim)
        if claim.purpose == "plan" or not request.asks:
            return request, None
        confirmation: JsonObject | None = self.signatures.unseal(
            "confirmation", claim.signed.confirmation
        )
        if confirmation is None or confirmation["job"] != claim.id:
            raise Forged("its confirmation carries no valid signature")
        return request, confirmation["plan"]

    def _request(self, claim: Claim) -> Request:
        if not self.signatures.valid("request", claim.signed.request, claim.signed.signature):
            raise Forged("its request carries no valid signature")
        request = Request.from_json(json.loads(claim.signed.request))
        if request.id != claim.id:
            raise Forged("its request was signed for another job")
        if request.host != self.host:
            raise Forged(f"it is addressed to host '{request.host}'")
        if request.kind not in self.kinds:
            raise Forged(f"this worker knows no '{request.kind}'")
        if request.expires_at < self.clock() * 1000 and not self.begun(claim.id):
            raise Forged("it is too old")
        return request
