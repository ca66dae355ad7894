"""The ledger: writes the records of jobs on Redis. Each change is one Lua script that is safe to
run twice.

Times are those of Redis' clock, in milliseconds since the epoch. A worker's writes carry the
fencing token of its claim and are refused once another worker has claimed the job (Kleppmann, "How
to do distributed locking", 2016).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis import Redis

from scar.errors import ScarError
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.indexes import NEVER_BEGUN_MS, RETENTION_MS, SCAR, JobIndexes
from scar.jobs.locks import lock_refusal
from scar.jobs.overdue import ATTEMPTS, OVERDUE
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.scripts import scripts
from scar.jobs.signing import Signatures
from scar.jobs.slots import LIMITS, SlotLimits, no_room
from scar.jobs.subscriptions import Subscriber, sealed_subscription
from scar.jobs.trail import Line, TrailEntry
from scar.json_object import JsonObject
from scar.redis_client import redis_errors

LEASE_MS = 10_000
"""Time after which a lease that its worker does not renew expires."""
_log = structlog.get_logger(__name__)
QUEUE_PREFIX = "scar:mq:"
_SCRIPTS = (
    *("submit", "restore", "confirm", "claim", "renew", "report", "cancel", "sweep"),
    *("end_overdue", "noted", "next"),
)


@dataclass(frozen=True)
class Submission:
    """The outcome of submitting a request: `made`, `busy`, or for an idempotency key used before
    `same` or `differs`.

    `job` is the new job, the job created before with the same key, or for `busy` the job that has
    locked a resource.
    """

    what: str
    job: Job


@dataclass(frozen=True)
class ConfirmationOutcome:
    """The outcome of a confirmation: `queued`; `busy`, with the id of the job that has locked a
    resource as `detail`; `changed`, if the plan is no longer the one confirmed; or `not`, with
    the job's state as `detail`.
    """

    what: str
    detail: str


class Ledger(JobIndexes):
    """Every write of job records, as the part of SCAR whose `signatures` these are."""

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        super().__init__(redis, signatures)
        self._scripts = scripts(redis, *_SCRIPTS)

    def _run(self, script: str, *args: str | int) -> Any:
        with redis_errors():
            return self._scripts[script](args=list(args))

    def _run_on_trail(self, entry: TrailEntry, script: str, *args: str | int) -> Any:
        """Run a script that may append `entry` to the audit trail."""

        def run(line: Line) -> Any:
            return self._run(script, *args, *line)

        return self._trail.append_with(entry, run)

    def submit(
        self,
        request: Request,
        text: str,
        signature: str,
        *,
        confirm_ms: int,
        confirmation: str = "",
        idempotency: tuple[str, str] = ("", ""),
        subscriber: Subscriber | None = None,
    ) -> Submission:
        """Create the job, and write an entry of the audit trail.

        `text` is the signed form of `request`; `idempotency` a key and a fingerprint of the
        request; `subscriber` a chat that is to show the job, stored atomically with it. Raises
        `busy` if a person has locked the project, or if as many long jobs are open as may run.
        """
        asks = request.asks and not confirmation
        state = JobState.AWAITING_CONFIRMATION if asks else JobState.QUEUED
        what, record = self._run_on_trail(
            self._entry(request, request.kind, "accepted"),
            "submit",
            request.id,
            text,
            signature,
            state.value,
            request.project or "",
            *map(json.dumps, (request.locks, request.requires_free)),
            request.host,
            confirm_ms,
            *idempotency,
            *self._subscription_arguments(request.id, subscriber),
            *(confirmation, request.expires_at, LIMITS.to_json()),
        )
        if what == "locked":
            raise lock_refusal(record, request.project, self._signatures)
        if what == "full":
            raise no_room(request, record[0], self._shown(record[1:]))
        fields = dict(zip(record[::2], record[1::2], strict=True))
        return Submission(what, self.read(json.loads(fields["request"])["id"], fields))

    def restore(self, request: Request, signed: SignedRequest, *, replace: bool = False) -> bool:
        """Write the record of a job again that a worker had begun and Redis has lost. With
        `replace`, an existing record is replaced.

        Returns False if Redis has the job, or if another job has meanwhile locked one of its
        resources.
        """
        what, *_ = self._run_on_trail(
            self._entry(request, "restored", "queued"),
            "restore",
            request.id,
            signed.request,
            signed.signature,
            request.project or "",
            request.host,
            signed.confirmation,
            request.expires_at,
            json.dumps(request.locks),
            "1" if replace else "",
        )
        return bool(what == "restored")

    def _shown(self, ids: Sequence[str]) -> list[Job]:
        records = [(id, self._fields(id)) for id in ids]
        return [self._read_or_say(id, fields) for id, fields in records if fields]

    def confirm(self, request: Request, confirmation: str, shown: str) -> ConfirmationOutcome:
        """Queue a job that awaits its confirmation. `confirmation` is sealed; `shown` is the hash
        of the plan that the person saw.

        Raises `busy` if a person has locked the project.
        """
        what, detail = self._run("confirm", request.id, confirmation, shown)
        if what == "locked":
            raise lock_refusal(detail, request.project, self._signatures)
        return ConfirmationOutcome(what, detail)

    def cancel(self, request: Request, cancellation: str) -> str:
        """End a job that waits, or leave the sealed `cancellation` for the worker that runs it.

        Returns the state after, `settled` where a running job can no longer be stopped, or an
        empty text where there is no such job.
        """
        entry = self._entry(request, "ended", JobState.CANCELLED.value)
        retention = min(RETENTION_MS[request.changes], NEVER_BEGUN_MS)
        return str(self._run_on_trail(entry, "cancel", request.id, cancellation, retention)[0])

    def claim(self, id: str, worker: str, nonce: str, limits: SlotLimits = LIMITS) -> Claim | None:
        """Claim the job for `worker`; return None if another worker has it, if there is nothing
        to do, or if the job has to wait for its turn.

        Repeating the call with the same `nonce` returns the same claim.
        """
        reply = self._run("claim", id, worker, nonce, LEASE_MS, limits.to_json())
        if not reply:
            return None
        purpose, request, signature, fence, attempt, confirmation, cancellation = reply
        signed = SignedRequest(request, signature, confirmation)
        return Claim(id, purpose, signed, int(fence), int(attempt), cancellation)

    def next_waiting(self, host: str) -> str | None:
        """Return the job whose turn it is, of those that wait for a slot on the host, or None."""
        id = self._run("next", host, LIMITS.to_json())
        return str(id) if id else None

    def note_cancelled(self, id: str) -> None:
        """Record that the job's host has stored the cancellation, so that it is not notified of it
        again.
        """
        self._run("noted", id)

    def renew(self, id: str, fence: int) -> tuple[bool, str]:
        """Renew the lease. Return whether the worker still has it, and the sealed cancellation
        (empty if there is none).
        """
        held, cancellation = self._run("renew", id, fence, LEASE_MS)
        return held == "held", cancellation

    def report(
        self,
        claim: Claim,
        batch: int,
        events: Sequence[tuple[str, JsonObject]],
        fields: Mapping[str, str],
        *,
        final: JobState | None = None,
        project: str = "",
        changes: bool = True,
    ) -> bool:
        """Write events (type, content) and fields of the record, and end the job where `final` is
        given; False once another worker has claimed the job.

        `batch` counts up by one; a batch that was already written is not written again.
        """
        text = json.dumps(events, separators=(",", ":"))
        seal = self._signatures.sign("events", f"{claim.id} {batch} {text}") if events else ""
        state = final.value if final else ""
        arguments = (
            *(claim.id, claim.fence, batch, RETENTION_MS[changes], state),
            *(text, len(events), seal, json.dumps(fields) if fields else "{}"),
        )
        if final is None or not final.ended:
            return bool(self._run("report", *arguments, "", "", "")[0] == "written")
        entry = TrailEntry.of(SCAR, "ended", state, project=project, job=claim.id)
        return bool(self._run_on_trail(entry, "report", *arguments)[0] == "written")

    def sweep(self) -> list[tuple[str, str]]:
        """Expire, requeue or fail the unfinished jobs that no worker is working on.

        Returns the (id, host) pairs of jobs for which the host's workers have to be notified again.
        """
        notify, overdue, spoilt = self._run(
            "sweep", QUEUE_PREFIX, LEASE_MS, ATTEMPTS, LIMITS.to_json()
        )
        for id in spoilt:
            _log.warning("record left alone: it is none that SCAR writes", job=id[:40])
        for id, reason in zip(overdue[::2], overdue[1::2], strict=True):
            try:
                self._end_overdue(id, reason)
            except ScarError as error:  # the next sweep tries it again
                _log.warning("overdue job not ended", job=id, reason=error.message)
        return list(zip(notify[::2], notify[1::2], strict=True))

    def _end_overdue(self, id: str, reason: str) -> None:
        end = OVERDUE[reason]
        sealed = self._signatures.seal("swept", end.of(id))
        entry = TrailEntry.of(SCAR, "ended", end.state.value, job=id)
        retention = RETENTION_MS[True] if reason == "lost" else NEVER_BEGUN_MS
        arguments = (id, reason, end.state.value, sealed, retention, ATTEMPTS)
        self._run_on_trail(entry, "end_overdue", *arguments)

    def _entry(self, request: Request, action: str, outcome: str) -> TrailEntry:
        actor, project = request.requested_by, request.project
        return TrailEntry.of(actor, action, outcome, project=project, job=request.id)

    def _subscription_arguments(
        self, id: str, subscriber: Subscriber | None
    ) -> tuple[str, str, str]:
        """Return the arguments of `submit.lua` that name a subscription; empty for none."""
        if subscriber is None:
            return "", "", ""
        front_end, place = subscriber.front_end, subscriber.place
        return front_end, place, sealed_subscription(self._signatures, front_end, id, place)
