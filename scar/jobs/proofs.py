"""Verifies a job's record on Redis: each signed part must be by the part of SCAR that may write it,
and for this job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scar.access import Actor
from scar.errors import ErrorRecord, ScarError
from scar.jobs.job_id import is_job_id
from scar.jobs.job_state import JobState
from scar.jobs.request import Request
from scar.jobs.results import job_kinds
from scar.jobs.signing import Opened, Signatures, Signer, tampered
from scar.jobs.voucher import Asked, vouches
from scar.json_object import MALFORMED, JsonObject
from scar.keys.key_store import API, worker_part

WORKER_LOST_CODE = "worker_lost"


@dataclass(frozen=True)
class JobEnd:
    """The signed end of a job: by its worker, or by the sweep for a job that no worker has done."""

    state: JobState
    result: JsonObject | None = None
    error: ErrorRecord | None = None

    def of(self, job_id: str) -> JsonObject:
        """Return the content that is sealed as the `end` of a job."""
        error = self.error.to_json() if self.error else None
        return {"job": job_id, "state": self.state.value, "result": self.result, "error": error}

    @classmethod
    def from_json(cls, content: JsonObject) -> JobEnd:
        """Read `of`."""
        error = ErrorRecord.from_json(content["error"]) if content["error"] else None
        return cls(JobState(content["state"]), content["result"], error)


def host_unavailable(host: str) -> ErrorRecord:
    """Return the error of a job that waits for a host without a worker."""
    return ErrorRecord(
        "host_unavailable",
        f"No worker listens for host '{host}'",
        "Start one there with `scar worker`; the job waits for it and expires if none comes.",
    )


def waits_for(signatures: Signatures, host: str, *, unavailable: bool) -> ErrorRecord | None:
    """Return the error of a queued job that waits for its host: the host has no live worker, or the
    worker's key is not trusted here, so that its answers could not be verified.
    """
    if unavailable:
        return host_unavailable(host)
    part = worker_part(host)
    if signatures.knows(part):
        return None
    return ErrorRecord(
        "host_unavailable",
        f"Waiting: no key of {part} is known here",
        f"Add it: scar keys add {part} KEY. `scar keys` on that host shows it; the host needs the "
        "keys of this one as well.",
    )


def cancelled_by(actor: Actor) -> ErrorRecord:
    """Return the error of a job that was cancelled before it began."""
    who = f"{actor.name} ({actor.frontend})"
    return ErrorRecord(
        "cancelled", f"Cancelled by {who}", "Nothing was done. Ask again if you want it."
    )


def binding(request: Request) -> JsonObject:
    """Return the part of a confirmation that binds it to this request, besides the plan's hash."""
    return {
        "job": request.id,
        "kind": request.kind,
        "project": request.project,
        "host": request.host,
        "requester": request.requested_by.key,
    }


def may_confirm(signatures: Signatures, opened: Opened, request: Request) -> bool:
    """Return whether the signer of a confirmation may sign for the person who confirmed."""
    content = opened.content
    actor = Actor.from_json(content["by"])
    asked = Asked(
        "confirm",
        actor,
        content["at"],
        id=request.id,
        kind=request.kind,
        project=request.project,
        args=request.args,
        changes=True,
        shown=content["plan"],
    )
    if opened.signer.is_worker:
        return asks_for_itself(opened.signer, actor, request)
    own = opened.signer.speaks_for(actor.frontend)
    return own or vouches(signatures, content["voucher"], asked)


def asks_for_itself(signer: Signer, actor: Actor, request: Request) -> bool:
    """Return whether a worker may submit and confirm such a job: only a rollback on its own host,
    in its own name.
    """
    own = signer.speaks_for(actor.frontend) and signer.works_for(request.host)
    return own and request.kind == "rollback"


def valid_cancellation(
    signatures: Signatures, job_id: str, sealed: str, *, acts: bool = False
) -> Actor | None:
    """Return who has cancelled the job; None without a valid cancellation. With `acts`, the
    cancellation is about to stop something, for which the signing key must not be retired.
    """
    opened = signatures.open("cancellation", sealed)
    if opened is None or opened.content.get("job") != job_id:
        return None
    if acts and opened.signer.retired:
        return None
    try:
        actor = Actor.from_json(opened.content["by"])
        asked = Asked("cancel", actor, opened.content["at"], id=job_id)
        own = opened.signer.speaks_for(actor.frontend)
        return actor if own or vouches(signatures, opened.content["voucher"], asked) else None
    except MALFORMED:
        return None


@dataclass(frozen=True)
class Proofs:
    """Verifies what is read of one job. Every method raises `tampered` for an invalid
    signature. `request` is the job's request, whose signature is valid; `retired` says whether its
    key was retired since.
    """

    signatures: Signatures
    request: Request
    retired: bool = False

    @classmethod
    def of(cls, signatures: Signatures, id: str, text: str, signature: str) -> Proofs:
        """Return the checks of the job `id`, whose request is `text`."""
        signer = signatures.signer("request", text, signature) if is_job_id(id) else None
        if signer is None:
            unknown = signatures.unknown_key(signature)
            raise tampered(f"the request of job {id[:40]}", unknown)
        try:
            request = Request.from_json(json.loads(text))
        except MALFORMED as error:
            raise tampered(f"the request of job {id[:40]}, which cannot be read") from error
        if request.id != id or not _may_ask(signatures, signer, request):
            raise tampered(f"the request of job {id[:40]}")
        return cls(signatures, request, signer.retired)

    def by_worker(self, kind: str, sealed: str) -> JsonObject:
        """Return a content that the worker of the job's host has sealed."""
        opened = self.signatures.open(kind, sealed)
        if opened is None or opened.content.get("job") != self.request.id:
            raise self._tampered(kind, sealed)
        if not opened.signer.works_for(self.request.host):
            raise self._tampered(kind)
        return opened.content

    def end(self, sealed: str) -> JobEnd:
        """Return how the worker has ended the job."""
        return JobEnd.from_json(self.by_worker("end", sealed))

    def swept(self, sealed: str) -> JobEnd:
        """Return how a sweep has ended the job: no worker took it, nobody confirmed it, or its
        worker was lost.
        """
        opened = self.signatures.open("swept", sealed)
        if opened is None or opened.content.get("job") != self.request.id:
            raise self._tampered("end")
        end = JobEnd.from_json(opened.content)
        if not _may_sweep(end, opened.signer):
            raise self._tampered("end")
        return end

    def cancelled(self, sealed: str) -> Actor:
        """Return who has cancelled the job."""
        actor = valid_cancellation(self.signatures, self.request.id, sealed)
        if actor is None:
            raise self._tampered("cancellation")
        return actor

    def require_batch(self, number: str, text: str, seal: str) -> None:
        """Check that the worker of the job's host has signed a batch of its events."""
        signer = self.signatures.signer("events", f"{self.request.id} {number} {text}", seal)
        if signer is None or not signer.works_for(self.request.host):
            raise self._tampered("events", seal)

    def require_state(self, state: JobState, fields: Mapping[str, Any]) -> JobEnd | None:
        """Return the proof that the job has ended in `state`; None if it has not ended."""
        if not state.ended:
            return None
        if sealed := fields.get("end"):
            end = self.end(sealed)
        elif sealed := fields.get("swept"):
            end = self.swept(sealed)
        elif state is JobState.CANCELLED and (sealed := fields.get("cancellation")):
            end = JobEnd(JobState.CANCELLED, error=cancelled_by(self.cancelled(sealed)))
        else:
            raise self._tampered("state")
        if end.state is not state:
            raise self._tampered("state")
        return end

    def _tampered(self, what: str, sealed: str = "") -> ScarError:
        unknown = self.signatures.unknown_key(sealed)
        return tampered(f"the {what} of job {self.request.id}", unknown)


def _may_ask(signatures: Signatures, signer: Signer, request: Request) -> bool:
    actor = request.requested_by
    asked = Asked(
        "make",
        actor,
        request.created_at,
        id=request.id,
        kind=request.kind,
        project=request.project,
        args=request.args,
        changes=request.kind not in job_kinds() or job_kinds()[request.kind].changes,
    )
    if signer.is_worker:
        return asks_for_itself(signer, actor, request)
    own = signer.speaks_for(actor.frontend)
    return own or vouches(signatures, request.voucher, asked)


def _may_sweep(end: JobEnd, signer: Signer) -> bool:
    lost = end.state is JobState.FAILED and end.error and end.error.code == WORKER_LOST_CODE
    return (signer.is_worker or signer.part == API) and (
        bool(lost) or end.state is JobState.EXPIRED
    )
