"""The book of jobs on Redis: each change of a job is one Lua script that may run twice.

Times are Redis' own, in milliseconds since the epoch. A worker's writes carry the fencing number
it got with its claim and are refused once another worker holds the job (Kleppmann, "How to do
distributed locking", 2016).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, cast

from redis import Redis

from scar.errors import ErrorRecord
from scar.jobs.locks import Lock
from scar.jobs.record import Event, Job, JobState, Request, Step, oldest_id_at
from scar.redis_client import redis_errors

LEASE_MS = 10_000
ATTEMPTS = 3
QUEUE_PREFIX = "scar:mq:"
_SCRIPTS = ("submit", "restore", "confirm", "claim", "renew", "report", "cancel", "sweep")
_DAY_MS = 86_400_000
_KEPT_MS = {True: 30 * _DAY_MS, False: _DAY_MS}

WORKER_LOST = ErrorRecord(
    "worker_lost",
    f"The worker was killed {ATTEMPTS} times while it did this",
    "Look at the worker's log (out of memory?) and at `scar status` before you ask again.",
)
UNANSWERED = ErrorRecord(
    "timeout", "Nobody confirmed in time, nothing was done", "Ask again and answer `yes` in time."
)


def host_unavailable(host: str) -> ErrorRecord:
    """The error of a job that waits for a host without a worker."""
    return ErrorRecord(
        "host_unavailable",
        f"No worker listens for host '{host}'",
        "Start one there with `scar worker`; the job waits for it and expires if none comes.",
    )


@dataclass(frozen=True)
class Signed:
    """What a worker believes of a job: the request as it was signed, and the sealed `yes`."""

    request: str
    signature: str
    confirmation: str


@dataclass(frozen=True)
class Claim:
    """A job in the hands of one worker. `purpose` is what it was claimed for."""

    id: str
    purpose: Literal["run", "plan"]
    signed: Signed
    fence: int
    attempt: int
    cancellation: str


@dataclass(frozen=True)
class Submission:
    """What became of a request: `made`, `same` or `differs` (idempotency key), or `busy`. `job` is
    the one that was made, now or before, or the one that holds the project."""

    what: str
    job: Job


@dataclass(frozen=True)
class Outcome:
    """What became of a confirmation; `id` is the job's or the holder's."""

    what: str
    id: str


class Ledger:
    """Every read and write of job records."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
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
        watch: tuple[str, str, str] = ("", "", ""),
    ) -> Submission:
        """Writes the job, and that it was accepted into the trail.

        `text` is the signed form of `request`; `idempotency` a key and a fingerprint of what was
        asked; `watch` a front-end, a place in it and what it needs to find its message again.
        Raises `busy` where a person holds the project.
        """
        asking = request.asks and not confirmation
        state = JobState.AWAITING_CONFIRMATION if asking else JobState.QUEUED
        actor = request.requested_by
        what, record = self._run(
            "submit",
            request.id,
            text,
            signature,
            state.value,
            request.project or "",
            json.dumps(request.locks),
            json.dumps(request.requires_free),
            request.host,
            confirm_ms,
            json.dumps(host_unavailable(request.host).to_json()),
            *idempotency,
            *watch,
            confirmation,
            request.expires_at,
            f"{actor.frontend}:{actor.id}",
            actor.name,
            request.kind,
        )
        if what == "locked":
            raise Lock.parse(record).refusal()
        return Submission(what, _job(dict(zip(record[::2], record[1::2], strict=True))))

    def restore(self, request: Request, record: Signed) -> bool:
        """Puts a begun job back that Redis has lost; False where it is there, or has to wait."""
        actor = request.requested_by
        return bool(
            self._run(
                "restore",
                request.id,
                record.request,
                record.signature,
                request.project or "",
                request.host,
                record.confirmation,
                request.expires_at,
                json.dumps(request.locks),
                f"{actor.frontend}:{actor.id}",
                actor.name,
            )
        )

    def confirm(self, request: Request, confirmation: str, shown: str) -> Outcome:
        """Queues a job that awaits its confirmation: `queued`, `busy`, `changed` or `not`.

        Raises `busy` where a person holds the project.
        """
        unavailable = json.dumps(host_unavailable(request.host).to_json())
        what, found = self._run("confirm", request.id, confirmation, shown, unavailable)
        if what == "locked":
            raise Lock.parse(found).refusal()
        return Outcome(what, found)

    def cancel(
        self, id: str, cancellation: str, error: ErrorRecord, *, changes: bool
    ) -> str | None:
        """Ends a job that waits, or asks the running one to stop; the state after, if it exists."""
        text = json.dumps(error.to_json())
        return cast("str | None", self._run("cancel", id, cancellation, _KEPT_MS[changes], text))

    def claim(self, id: str, worker: str, nonce: str) -> Claim | None:
        """Takes the job for `worker`, if it is to be had."""
        found = self._run("claim", id, worker, nonce, LEASE_MS)
        if not found:
            return None
        purpose, request, signature, fence, attempt, confirmation, cancellation = found
        signed = Signed(request, signature, confirmation)
        return Claim(id, purpose, signed, int(fence), int(attempt), cancellation)

    def renew(self, id: str, fence: int) -> tuple[bool, str]:
        """Keeps the claim: whether it is still held, and the cancellation if there is one."""
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
        """Writes events (type, JSON) and fields; False once another worker holds the job."""
        return bool(
            self._run(
                "report",
                id,
                fence,
                batch,
                _KEPT_MS[changes],
                final.value if final else "",
                json.dumps(events),
                json.dumps(fields) if fields else "{}",
            )
        )

    def sweep(self) -> list[tuple[str, str]]:
        """One look over the open jobs; the (id, host) pairs to ring for again."""
        found = self._run(
            "sweep",
            QUEUE_PREFIX,
            LEASE_MS,
            ATTEMPTS,
            _KEPT_MS[True],
            json.dumps(WORKER_LOST.to_json()),
            json.dumps(host_unavailable("of this job").to_json()),
            json.dumps(UNANSWERED.to_json()),
        )
        return list(zip(found[::2], found[1::2], strict=True))

    def get(self, id: str) -> Job | None:
        """The job, or None where there is none of that id."""
        with redis_errors():
            found = cast("dict[str, str]", self._redis.hgetall(f"scar:job:{id}"))
        return _job(found) if found else None

    def holder(self, name: str) -> Job | None:
        """The open job that holds a project or a workspace."""
        with redis_errors():
            id = cast("str | None", self._redis.get(f"scar:hold:{name}"))
        job = self.get(id) if id else None
        return job if job and not job.state.ended else None

    def recent(
        self, project: str | None = None, *, before: str | None = None, batch: int = 200
    ) -> Iterator[Job]:
        """Jobs, newest first, from the one before the id `before` on."""
        index = f"scar:jobs:{project}" if project else "scar:jobs"
        top = f"({before}" if before else "+"
        while True:
            with redis_errors():
                ids = cast("list[str]", self._redis.zrevrangebylex(index, top, "-", 0, batch))
                pipe = self._redis.pipeline(transaction=False)
                for id in ids:
                    pipe.hgetall(f"scar:job:{id}")
                records = pipe.execute() if ids else []
            yield from (_job(found) for found in records if found)
            if len(ids) < batch:
                return
            top = f"({ids[-1]}"

    def forget_old(self) -> None:
        """Drops from the lists the jobs whose records have run out; at most once an hour."""
        with redis_errors():
            if not self._redis.set("scar:forget:last", "1", nx=True, ex=3600):
                return
            oldest = oldest_id_at(time.time() - _KEPT_MS[True] / 1000)
            for index in self._redis.scan_iter("scar:jobs*"):
                self._redis.zremrangebylex(index, "-", f"({oldest}")

    def events(self, id: str, after: int = 0, *, count: int = 1000) -> list[Event]:
        """Up to `count` events that follow the event `after`, oldest first."""
        with redis_errors():
            found = self._redis.xrange(f"scar:job:{id}:events", f"({after}-0", "+", count)
        return [event_of(entry) for entry in cast("list[Any]", found)]

    def watches(self, front_end: str) -> dict[tuple[str, str], str]:
        """The messages that a front-end still has to bring to their end, by job and place."""
        with redis_errors():
            found = cast("dict[str, str]", self._redis.hgetall(f"scar:watches:{front_end}"))
        watches: dict[tuple[str, str], str] = {}
        for name, watch in found.items():
            id, _, place = name.partition(" ")
            watches[id, place or _place_within(watch)] = watch
        return watches

    def watch(self, front_end: str, id: str, place: str, watch: str) -> None:
        """Has the front-end show the job in a place, and keeps what it needs to take that message
        up again."""
        with redis_errors():
            self._redis.hset(f"scar:watches:{front_end}", f"{id} {place}", watch)

    def unwatch(self, front_end: str, id: str, place: str) -> None:
        """The job's message there says how it ended: nothing is left to do for it."""
        with redis_errors():
            self._redis.hdel(f"scar:watches:{front_end}", f"{id} {place}", id)


def _place_within(watch: str) -> str:
    """The place of a message that an earlier version kept: it stood beside the reference. Empty
    where there is none."""
    try:
        found = json.loads(watch)
        return json.dumps([found["chat"], found["thread"]])
    except (LookupError, TypeError, ValueError):
        return ""


def event_of(entry: tuple[str, Mapping[str, str]]) -> Event:
    """An entry of an event stream as an `Event`."""
    id, fields = entry
    return Event(
        int(id.split("-")[0]), fields["type"], int(fields["at"]), json.loads(fields["data"])
    )


def _job(found: Mapping[str, str]) -> Job:
    error = found.get("error")
    plan = found.get("plan_shown")
    result = found.get("result")
    return Job(
        request=Request.from_json(json.loads(found["request"])),
        state=JobState(found["state"]),
        attempt=int(found["attempt"]),
        started_at=_integer(found.get("started")),
        finished_at=_integer(found.get("finished")),
        steps=tuple(Step.from_json(step) for step in json.loads(found.get("steps", "[]"))),
        plan=json.loads(plan) if plan else None,
        confirm_until=_integer(found.get("confirm_until")),
        result=json.loads(result) if result else None,
        error=ErrorRecord.from_json(json.loads(error)) if error else None,
        last_event=int(found["seq"]),
    )


def _integer(text: str | None) -> int | None:
    return int(text) if text else None
