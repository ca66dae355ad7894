"""A worker under the test's hand: it claims and reports as workers do, when the test says so."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.claim import Claim
from scar.jobs.record import Job, JobState
from scar.jobs.results import job_kinds
from scar.jobs.results.job_kind import JobKind, JobPlan
from scar.jobs.step import Progress, Step, StepState
from tests.support.waiting import eventually
from workers.runtime.reporter import JobReporter


class ActingWorker:
    """Finds the jobs that somebody asked for and does them as far as the test wants."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._known = {job.id for job in services.ledger.recent()}

    def alive(self, host: str = "default", seconds: float = 3600.0) -> None:
        """Count as a worker of `host` for so long."""
        redis = self.services.redis
        redis.sadd("scar:hosts", host)
        until = int((time.time() + seconds) * 1000)
        redis.zadd(f"scar:workers:{host}", {f"{host}-1": until})
        about = {"host": host, "pid": "1", "started_at": "1760000000", "engine": '{"version":"28"}'}
        redis.hset(f"scar:worker:{host}-1", mapping=about)  # type: ignore[arg-type]

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
            lambda: self.services.ledger.claim(id, "test", uuid4().hex), f"{id} can be claimed"
        )
        assert claim is not None
        return ActingClaim(self.services, claim)

    def report(self, claim: ActingClaim) -> JobReporter:
        """Return the reporter that a real worker would run the claimed job with."""
        services = self.services
        return JobReporter(services.ledger, services.signatures, claim.claim, changes=False)

    def plan(self, id: str, hash: str = "a" * 64, **plan: Any) -> None:
        """Claim a job and ask its question."""
        self.plan_again(self.claim(id), hash, **plan)

    def plan_again(self, claim: ActingClaim, hash: str, **plan: Any) -> None:
        """Do what a worker does that finds the world changed after the `yes`."""
        with self.report(claim) as report:
            report.planned(self._plan(claim, hash, plan))

    def _plan(self, claim: ActingClaim, hash: str, plan: Mapping[str, Any]) -> JobPlan:
        record = self._kind(claim.claim.id).plan
        assert record
        return record.from_json({"hash": hash, "containers": ["web"], **plan})

    def _kind(self, id: str) -> JobKind:
        return job_kinds()[self.services.job_service.get(id).request.kind]

    def finish(self, id: str, result: Mapping[str, Any]) -> None:
        """Run the job to its good end."""
        with self.report(self.claim(id)) as report:
            step = restarting("web", StepState.SUCCEEDED)
            report.steps((step,), step)
            report.finish(JobState.SUCCEEDED, result=self._kind(id).result.from_json(result))

    def fail(self, id: str, error: ScarError) -> None:
        with self.report(self.claim(id)) as report:
            report.finish(JobState.FAILED, error=error)


@dataclass
class ActingClaim:
    """A claimed job whose batches of events a test writes one by one."""

    services: Services
    claim: Claim
    batch: int = 0

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease every second, as a worker does, so that no slow step loses the job."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(1.0):
                self.services.ledger.renew(self.claim.id, self.claim.fence)

        thread = threading.Thread(target=renew)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def say(
        self,
        *events: tuple[str, dict[str, Any]],
        final: JobState | None = None,
        fields: dict[str, Any] | None = None,
    ) -> None:
        """Write one batch of events, and how the job ended."""
        self.batch += 1
        texts = [(kind, json.dumps(data)) for kind, data in events]
        kept = {name: json.dumps(value) for name, value in (fields or {}).items()}
        assert self.services.ledger.report(
            self.claim.id, self.claim.fence, self.batch, texts, kept, final=final
        )

    def lines(self, *texts: str) -> None:
        """Write output."""
        self.say(*[("output", {"line": text}) for text in texts])

    def succeed(self, result: dict[str, Any]) -> None:
        """End well."""
        event = ("result", {"result": result, "error": None})
        self.say(event, final=JobState.SUCCEEDED, fields={"result": result})

    def fail(self, code: str, message: str, hint: str) -> None:
        """End with an error."""
        error = {"code": code, "message": message, "hint": hint}
        event = ("result", {"result": None, "error": error})
        self.say(event, final=JobState.FAILED, fields={"error": error})

    def plan(self, plan: dict[str, Any]) -> None:
        """End planning: the question can be asked."""
        self.batch += 1
        fields = {"plan_shown": json.dumps(plan), "plan": "sealed", "plan_hash": plan["hash"]}
        assert self.services.ledger.report(
            self.claim.id,
            self.claim.fence,
            self.batch,
            [],
            fields,
            final=JobState.AWAITING_CONFIRMATION,
        )


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
