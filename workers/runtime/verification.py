"""Verifies a job before a worker acts: who signed it, whether they may submit it, and its age."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.job_id import is_job_id
from scar.jobs.locks import Lock
from scar.jobs.proofs import Proofs, binding, may_confirm, valid_cancellation
from scar.jobs.request import Request
from scar.jobs.results import job_kinds
from scar.jobs.signing import WAKEUP, Signatures, sealed_content
from scar.json_object import MALFORMED, JsonObject
from workers.runtime.roles import Roles

CONFIRMED_MS = 15 * 60_000
"""How long a `yes` is valid: as long as a request that has not begun."""

_SKEW_MS = 60_000
"""How far the clocks of two hosts may be apart."""


LOCK_NO_PROJECT = frozenset({"agent", "agent_discard", "clone", "project_add"})
"""The kinds that change something, but lock something else than their project."""


class BegunJobs(Protocol):
    """This host's memory of the jobs that began here, implemented by `workers.state.job_log`."""

    def begun(self, id: str) -> bool: ...

    def begun_before(self, id: str) -> str | None: ...

    def signed(self, id: str) -> SignedRequest: ...


class Forged(Exception):
    """Raised for a record on which this worker must not act; the text says why."""


@dataclass(frozen=True)
class Verification:
    """Checks claims for `host`. `kinds` are those with a handler; `lock_of` returns the lock of a
    project that this host knows; `clock` gives seconds since the epoch.
    """

    host: str
    signatures: Signatures
    kinds: Collection[str]
    job_log: BegunJobs
    roles: Roles
    lock_of: Callable[[str], Lock | None]
    clock: Callable[[], float] = time.time

    def wakeup(self, id: str, signature: str) -> bool:
        """Return whether a wake-up message was signed for this host."""
        signer = self.signatures.signer(WAKEUP, f"{self.host}/{id}", signature)
        return is_job_id(id) and signer is not None

    def verify(self, claim: Claim) -> tuple[Request, str | None]:
        """Return the request, and the hash of the confirmed plan, if there is a confirmation.

        A job that has begun here was verified then, and is taken from the job log, even if keys
        were retired since. Raises `Forged`.
        """
        try:
            return self._verify(claim)
        except MALFORMED as error:
            raise Forged(f"it was signed and cannot be read ({type(error).__name__})") from error

    def _verify(self, claim: Claim) -> tuple[Request, str | None]:
        begun = self.job_log.begun(claim.id)
        request = self._begun(claim) if begun else self._new(claim)
        if request.kind not in self.kinds:
            raise Forged(f"this worker knows no '{request.kind}'")
        if not begun:
            self._require_role(request.requested_by, request)
        kind = job_kinds()[request.kind]  # the request's own statement is not trusted
        if claim.purpose != "run" or not kind.asks:
            if not begun and kind.changes:
                self._require_unlocked(request, request.created_at)
            return request, None
        sealed = claim.signed.confirmation
        confirmation = sealed_content(sealed) if begun else self._confirmation(sealed, request)
        plan: str | None = confirmation["plan"]
        return request, plan

    def cancelled_by(self, claim: Claim) -> Actor:
        """Return who has cancelled a job that has not begun. Raises `Forged` unless they may."""
        request, _ = self.verify(claim)
        actor = self.canceller(request, claim.cancellation)
        if actor is None:
            raise Forged("its cancellation is not signed by who may cancel it")
        return actor

    def canceller(self, request: Request, sealed: str) -> Actor | None:
        """Return who has cancelled a job; None unless they may."""
        actor = valid_cancellation(self.signatures, request.id, sealed, acts=True)
        return actor if actor is not None and self.roles.may_cancel(actor, request) else None

    def _begun(self, claim: Claim) -> Request:
        """Return the request of a job that has begun here, if the claim contains the same
        request.
        """
        signed = self.job_log.signed(claim.id)
        if (signed.request, signed.confirmation) != (
            claim.signed.request,
            claim.signed.confirmation,
        ):
            raise Forged("it is not what was begun here under that id")
        request = Request.from_json(json.loads(signed.request))
        if request.id != claim.id:
            raise Forged("it was begun here under another id")
        return request

    def _new(self, claim: Claim) -> Request:
        signed = claim.signed
        try:
            proofs = Proofs.of(self.signatures, claim.id, signed.request, signed.signature)
        except ScarError as error:
            if error.code != "tampered":
                raise
            raise Forged("its request carries no valid signature") from error
        request = proofs.request
        if proofs.retired:
            raise Forged("the key that its request was signed with was retired")
        if request.host != self.host:
            raise Forged(f"it is addressed to host '{request.host}'")
        if (host := self.roles.host_of(request.project)) not in (None, self.host):
            raise Forged(f"its project is on host '{host}'")
        now = self.clock() * 1000
        if request.expires_at < now or now - request.created_at > CONFIRMED_MS + _SKEW_MS:
            raise Forged("it is too old")
        if request.created_at > now + _SKEW_MS:
            raise Forged("it was asked for in the future")
        self._require_first(request)
        return request

    def _require_first(self, request: Request) -> None:
        """Check that the push was not deployed here before, under any job id."""
        if request.requested_by.frontend == "schedule":
            before = self.job_log.begun_before(request.id)
            if before is not None:
                raise Forged(f"this push was taken up here before, as job {before}")

    def _confirmation(self, sealed: str, request: Request) -> JsonObject:
        """Return the hash of the confirmed plan, after checking that the confirmation is for this
        job, by a person who may, and not too old.
        """
        opened = self.signatures.open("confirmation", sealed)
        if opened is None or opened.signer.retired:
            raise Forged("its confirmation carries no valid signature")
        content = opened.content
        if any(content.get(name) != value for name, value in binding(request).items()):
            raise Forged("its confirmation was given to something else")
        if not may_confirm(self.signatures, opened, request):
            raise Forged("its confirmation was signed by a part that may not speak for them")
        if not -_SKEW_MS <= self.clock() * 1000 - content["at"] <= CONFIRMED_MS:
            raise Forged("it was confirmed too long ago")
        self._require_role(Actor.from_json(content["by"]), request)
        self._require_unlocked(request, content["at"])
        return content

    def _require_role(self, actor: Actor, request: Request) -> None:
        """Check the person's role with this worker's own settings and projects file."""
        needed = job_kinds()[request.kind].role
        if not self.roles.may_ask(actor, request):
            raise Forged(
                f"{actor.key[:80]} may not {request.kind} here: it needs the role {needed}"
            )

    def _require_unlocked(self, request: Request, asked_at: int) -> None:
        """Check that nobody had locked the job's project when the job was submitted. The `locks` in
        the request are not relied on, since a valid signature does not prove that they are
        complete.
        """
        own = request.project if request.kind not in LOCK_NO_PROJECT else None
        for resource in dict.fromkeys((*request.locks, *filter(None, (own,)))):
            # No person's lock is on a workspace, as in `persons_lock` of the scripts.
            lock = None if resource.startswith("workspace:") else self.lock_of(resource)
            if lock is not None and lock.since <= asked_at:
                raise Forged(lock.refusal().message)
