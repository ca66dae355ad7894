"""Writes the records of jobs on Redis. Each change is one Lua script that is safe to run twice.

Times are those of Redis' clock, in milliseconds since the epoch. A worker's writes carry the
fencing token of its claim and are refused once another worker has claimed the job (Kleppmann, "How
to do distributed locking", 2016).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast

from redis import Redis

from scar.errors import ErrorRecord
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.job_id import oldest_id_at
from scar.jobs.locks import Lock
from scar.jobs.record import Job, JobState
from scar.jobs.record_reader import RecordReader, job_of
from scar.jobs.request import Request
from scar.jobs.subscriptions import NEW_MESSAGE, Subscriber
from scar.redis_client import redis_errors

LEASE_MS = 10_000
"""Time after which a lease that its worker does not renew expires."""
ATTEMPTS = 3
QUEUE_PREFIX = "scar:mq:"
_SCRIPTS = ("submit", "restore", "confirm", "claim", "renew", "report", "cancel", "sweep")
_DAY_MS = 86_400_000
_RETENTION_MS = {True: 30 * _DAY_MS, False: _DAY_MS}
"""How long the record of an ended job is kept, by whether the job may change something."""

WORKER_LOST = ErrorRecord(
    "worker_lost",
    f"The worker was killed {ATTEMPTS} times while it did this",
    "Look at the worker's log (out of memory?) and at `scar status` before you ask again.",
)
UNANSWERED = ErrorRecord(
    "timeout", "Nobody confirmed in time, nothing was done", "Ask again and answer `yes` in time."
)


def host_unavailable(host: str) -> ErrorRecord:
    """Return the error shown for a job whose host has no worker."""
    return ErrorRecord(
        "host_unavailable",
        f"No worker listens for host '{host}'",
        "Start one there with `scar worker`; the job waits for it and expires if none comes.",
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


class Ledger(RecordReader):
    """Reads and writes the records of jobs; nothing else writes them."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        folder = resources.files("scar.jobs") / "lua"
        prelude = (folder / "prelude.lua").read_text()
        self._scripts = {
            name: redis.register_script(prelude + (folder / f"{name}.lua").read_text())
            for name in _SCRIPTS
        }

    def _run(self, script: str, *args: str | int) -> Any:
        with redis_errors():
            return self._scripts[script](args=list(args))

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
        `busy` if a person has locked the project.
        """
        asks = request.asks and not confirmation
        state = JobState.AWAITING_CONFIRMATION if asks else JobState.QUEUED
        what, record = self._run(
            "submit",
            request.id,
            text,
            signature,
            state.value,
            request.project or "",
            *map(json.dumps, (request.locks, request.requires_free)),
            request.host,
            confirm_ms,
            json.dumps(host_unavailable(request.host).to_json()),
            *idempotency,
            *_subscription_arguments(subscriber),
            confirmation,
            request.expires_at,
            *_requester(request),
            request.kind,
        )
        if what == "locked":
            raise Lock.parse(record).refusal()
        return Submission(what, job_of(dict(zip(record[::2], record[1::2], strict=True))))

    def restore(self, request: Request, signed: SignedRequest) -> bool:
        """Write a job again that a worker has begun and Redis has lost.

        Returns False if Redis has the job, or if another job has meanwhile locked one of its
        resources.
        """
        return bool(
            self._run(
                "restore",
                request.id,
                signed.request,
                signed.signature,
                request.project or "",
                request.host,
                signed.confirmation,
                request.expires_at,
                json.dumps(request.locks),
                *_requester(request),
            )
        )

    def confirm(self, request: Request, confirmation: str, shown: str) -> ConfirmationOutcome:
        """Queue a job that awaits its confirmation. `confirmation` is sealed; `shown` is the hash
        of the plan that the person saw.

        Raises `busy` if a person has locked the project.
        """
        unavailable = json.dumps(host_unavailable(request.host).to_json())
        what, detail = self._run("confirm", request.id, confirmation, shown, unavailable)
        if what == "locked":
            raise Lock.parse(detail).refusal()
        return ConfirmationOutcome(what, detail)

    def cancel(
        self, id: str, cancellation: str, error: ErrorRecord, *, changes: bool
    ) -> str | None:
        """End a job that no worker has begun, or store the sealed `cancellation` for the worker
        that runs it.

        Returns the job's state afterwards, `settled` if a running job can no longer be cancelled,
        or None if the job does not exist.
        """
        text, retention = json.dumps(error.to_json()), _RETENTION_MS[changes]
        return cast("str | None", self._run("cancel", id, cancellation, retention, text))

    def claim(self, id: str, worker: str, nonce: str) -> Claim | None:
        """Claim the job for `worker`; return None if another worker has it, or if there is nothing
        to do.

        Repeating the call with the same `nonce` returns the same claim.
        """
        reply = self._run("claim", id, worker, nonce, LEASE_MS)
        if not reply:
            return None
        purpose, request, signature, fence, attempt, confirmation, cancellation = reply
        signed = SignedRequest(request, signature, confirmation)
        return Claim(id, purpose, signed, int(fence), int(attempt), cancellation)

    def renew(self, id: str, fence: int) -> tuple[bool, str]:
        """Renew the lease. Return whether the worker still has it, and the sealed cancellation
        (empty if there is none).
        """
        held, cancellation = self._run("renew", id, fence, LEASE_MS)
        return held == "held", cancellation

    def report(
        self,
        id: str,
        fence: int,
        batch: int,
        events: Sequence[tuple[str, str]],
        fields: Mapping[str, str],
        *,
        final: JobState | None = None,
        changes: bool = True,
    ) -> bool:
        """Write events (type, JSON) and fields of the record, and end the job if `final` is given;
        return False if another worker has claimed the job.

        `batch` counts up by one; a batch that was already written is not written again.
        """
        return bool(
            self._run(
                "report",
                id,
                fence,
                batch,
                _RETENTION_MS[changes],
                final.value if final else "",
                json.dumps(events),
                json.dumps(fields) if fields else "{}",
            )
        )

    def sweep(self) -> list[tuple[str, str]]:
        """Expire, requeue or fail the unfinished jobs that no worker is working on.

        Returns the (id, host) pairs of jobs for which the host's workers have to be notified again.
        """
        reply = self._run(
            "sweep",
            QUEUE_PREFIX,
            LEASE_MS,
            ATTEMPTS,
            _RETENTION_MS[True],
            json.dumps(WORKER_LOST.to_json()),
            json.dumps(host_unavailable("of this job").to_json()),
            json.dumps(UNANSWERED.to_json()),
        )
        return list(zip(reply[::2], reply[1::2], strict=True))

    def forget_old(self) -> None:
        """Remove the ids of jobs whose records have expired from the indexes; at most once an
        hour.
        """
        with redis_errors():
            if not self._redis.set("scar:forget:last", "1", nx=True, ex=3600):
                return
            oldest = oldest_id_at(time.time() - _RETENTION_MS[True] / 1000)
            for index in self._redis.scan_iter("scar:jobs*"):
                self._redis.zremrangebylex(index, "-", f"({oldest}")


def _subscription_arguments(subscriber: Subscriber | None) -> tuple[str, str, str]:
    """Return the arguments of `submit.lua` that describe a subscription; empty texts without
    one.
    """
    return (subscriber.front_end, subscriber.place, NEW_MESSAGE) if subscriber else ("", "", "")


def _requester(request: Request) -> tuple[str, str]:
    """Return the id and the name of the actor who requested the job, for the audit trail."""
    actor = request.requested_by
    return f"{actor.frontend}:{actor.id}", actor.name
