"""A worker that the test controls: it claims and reports as workers do, but only when the test says
so.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

from scar.bootstrap import Services
from scar.errors import ErrorRecord, ScarError
from scar.jobs.claim import Claim
from scar.jobs.ledger import Ledger
from scar.jobs.proofs import JobEnd, valid_cancellation
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.results import job_kinds
from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.signing import Signatures
from scar.jobs.slots import SlotLimits
from scar.jobs.step import Progress, Step, StepState
from scar.json_object import JsonObject
from scar.keys.key_store import worker_part
from tests.support.waiting import eventually
from workers.runtime.reporter import JobReporter

_ENDLESS = SlotLimits(99, 99, 99, 99, 99)


class ActingWorker:
    """Finds submitted jobs, and runs each as far as the test wants."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._known = {job.id for job in services.ledger.recent()}

    def alive(self, host: str = "default", seconds: float = 3600.0) -> None:
        """Send a heartbeat as a worker of `host` that is valid for `seconds`."""
        redis = self.services.redis
        redis.sadd("scar:hosts", host)
        until = int((time.time() + seconds) * 1000)
        redis.zadd(f"scar:workers:{host}", {f"{host}-1": until})
        about = {"host": host, "pid": "1", "started_at": "1760000000", "engine": '{"version":"28"}'}
        redis.hset(f"scar:worker:{host}-1", mapping=about)  # type: ignore[arg-type]

    def sweep(self) -> list[tuple[str, str]]:
        """Sweep as a worker does; return the jobs, with their hosts, to be notified of again."""
        signatures = Signatures.of(self.services.settings, worker_part("default"))
        return Ledger(self.services.redis, signatures).sweep()

    def next_job(self, kind: str, asked_by: str) -> Job:
        """Return the next job that nobody was given before."""

        def look() -> Job | None:
            for job in self.services.ledger.recent(batch=50):
                new = job.id not in self._known and job.request.kind == kind
                if new and job.request.requested_by.id == asked_by:
                    self._known.add(job.id)
                    return job
            return None

        job = eventually(look, f"{asked_by} asks for {kind}")
        assert job is not None
        return job

    def jobs_of(self, asked_by: str) -> list[Job]:
        """Return every job somebody ever asked for."""
        jobs = self.services.ledger.recent()
        return [job for job in jobs if job.request.requested_by.id == asked_by]

    def state(self, id: str) -> JobState:
        return self.services.job_service.get(id).state

    def until(self, id: str, *states: JobState) -> Job:
        """Return the job as soon as it is in one of `states`."""
        eventually(lambda: self.state(id) in states, f"{id} is one of {states}")
        return self.services.job_service.get(id)

    def claim(self, id: str) -> ActingClaim:
        """Take the job: to plan it, or to run it once it is confirmed."""
        claim = eventually(
            lambda: self.services.ledger.claim(id, "test", uuid4().hex, _ENDLESS),
            f"{id} can be claimed",
        )
        assert claim is not None
        return ActingClaim.of(self.services, claim)

    def report(self, claim: ActingClaim) -> JobReporter:
        """Return the reporter that a real worker would run the claimed job with."""
        request = replace(self.services.job_service.get(claim.claim.id).request, changes=False)
        canceller = partial(valid_cancellation, claim.signatures, request.id)
        return JobReporter(claim.ledger, claim.signatures, claim.claim, request, canceller)

    def plan(self, id: str, hash: str = "a" * 64, **plan: Any) -> None:
        """Claim a job and report a plan, so that its question is asked."""
        self.plan_again(self.claim(id), hash, **plan)

    def plan_again(self, claim: ActingClaim, hash: str, **plan: Any) -> None:
        """Report another plan after the confirmation, as a worker does if production has
        changed.
        """
        with self.report(claim) as report:
            report.planned(self._plan(claim, hash, plan))

    def _plan(self, claim: ActingClaim, hash: str, plan: Mapping[str, Any]) -> JobPlan:
        record = self._kind(claim.claim.id).plan
        assert record
        return record.from_json({"hash": hash, "containers": ["web"], **plan})

    def _kind(self, id: str) -> JobKind:
        return job_kinds()[self.services.job_service.get(id).request.kind]

    def finish(self, id: str, result: Mapping[str, Any]) -> None:
        """Claim the job and report that it has succeeded."""
        with self.report(self.claim(id)) as report:
            step = restarting("web", StepState.SUCCEEDED)
            report.steps((step,), step)
            report.finish(JobState.SUCCEEDED, result=self._kind(id).result.from_json(result))

    def fail(self, id: str, error: ScarError) -> None:
        with self.report(self.claim(id)) as report:
            report.finish(JobState.FAILED, error=error)


@dataclass
class ActingClaim:
    """A claimed job for which a test writes batches of events, signed with the worker's key."""

    ledger: Ledger
    signatures: Signatures
    claim: Claim
    batch: int = 0

    @classmethod
    def of(cls, services: Services, claim: Claim) -> ActingClaim:
        """Return the claim, with the key of the worker of the job's host."""
        host = Request.from_json(json.loads(claim.signed.request)).host
        signatures = Signatures.of(services.settings, worker_part(host))
        return cls(Ledger(services.redis, signatures), signatures, claim)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease every second, as a worker does, so that no slow step loses the job."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(1.0):
                self.ledger.renew(self.claim.id, self.claim.fence)

        thread = threading.Thread(target=renew)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def say(
        self,
        *events: tuple[str, JsonObject],
        final: JobState | None = None,
        fields: Mapping[str, str] | None = None,
        changes: bool = True,
    ) -> bool:
        """Write one batch of events, with the job's end if `final`; return False if another worker
        has the job.
        """
        self.batch += 1
        return self.ledger.report(
            self.claim, self.batch, events, fields or {}, final=final, changes=changes
        )

    def lines(self, *texts: str) -> None:
        """Write lines of output."""
        assert self.say(*[("output", {"line": text}) for text in texts])

    def step(self, step: Step) -> None:
        """Report a step as the only one."""
        steps = {"job": self.claim.id, "steps": [step.to_json()]}
        fields = {"steps": self.signatures.seal("steps", steps)}
        assert self.say(("step", step.to_json()), fields=fields)

    def end(self, end: JobEnd, *, changes: bool = True) -> None:
        """End the job with a signed end."""
        error = end.error.to_json() if end.error else None
        result = ("result", {"result": end.result, "error": error})
        state = ("job", {"state": end.state.value, **({"error": error} if error else {})})
        fields = {"end": self.signatures.seal("end", end.of(self.claim.id))}
        assert self.say(result, state, final=end.state, fields=fields, changes=changes)

    def succeed(self, result: dict[str, Any]) -> None:
        """End the job as succeeded."""
        self.end(JobEnd(JobState.SUCCEEDED, result))

    def fail(self, code: str, message: str, hint: str) -> None:
        """End the job as failed."""
        self.end(JobEnd(JobState.FAILED, error=ErrorRecord(code, message, hint)))

    def plan(self, plan: dict[str, Any]) -> None:
        """Report the plan, so that the question can be asked."""
        state = JobState.AWAITING_CONFIRMATION
        sealed = self.signatures.seal("plan", {"job": self.claim.id, "plan": plan})
        fields = {"plan": sealed, "plan_hash": plan["hash"]}
        event = ("job", {"state": state.value, "plan": plan})
        assert self.say(event, final=state, fields=fields)


def restarting(container: str, state: StepState) -> Step:
    """A step of a restart."""
    return Step(f"restarting:{container}", f"Restarting {container}", state, detail=container)


def building(done: int, total: int) -> tuple[Step, Progress]:
    """A step of a deploy that is under way."""
    progress = Progress(done, total, "steps")
    return Step("building", "Building", StepState.RUNNING, progress=progress), progress


def status_of(project: str) -> dict[str, Any]:
    """The result of a status job."""
    return {
        "project": project,
        "containers": [],
        "production": "/srv/shop",
        "workspace": "/workspace/shop",
        "workspace_dirty": False,
        "old_version": False,
        "notices": [],
    }


def log_of(lines: list[str]) -> dict[str, Any]:
    """The result of a logs job."""
    return {"container": "web", "count": len(lines), "lines": lines, "notices": []}
