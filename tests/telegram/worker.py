"""A worker under the test's hand: claims and reports as workers do, when the test says so."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.ledger import Claim
from scar.jobs.record import Job, JobState, Progress, Step, StepState
from scar.jobs.results import job_kinds
from scar.jobs.results.job_kind import JobKind, JobPlan
from workers.runtime.reporter import JobReporter

PATIENCE = 20.0


class Worker:
    """Finds the jobs that a person asked for and does them as far as the test wants."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known = {job.id for job in services.ledger.recent()}

    def alive(self) -> None:
        """Counts as a worker of the default host from now on."""
        self._services.redis.zadd("scar:workers:default", {"test": time.time() * 1000 + 3_600_000})

    def next_job(self, kind: str, asked_by: str) -> Job:
        """The next job that nobody was given before."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for job in self._services.ledger.recent(batch=50):
                new = job.id not in self._known and job.request.kind == kind
                if new and job.request.requested_by.id == asked_by:
                    self._known.add(job.id)
                    return job
            time.sleep(0.02)
        raise AssertionError(f"nobody asked for {kind}")

    def jobs_of(self, asked_by: str) -> list[Job]:
        """Every job somebody ever asked for."""
        jobs = self._services.ledger.recent()
        return [job for job in jobs if job.request.requested_by.id == asked_by]

    def state(self, id: str) -> JobState:
        return self._services.job_service.get(id).state

    def until(self, id: str, *states: JobState) -> Job:
        """The job as soon as it is in one of `states`."""
        deadline = time.monotonic() + PATIENCE
        while (job := self._services.job_service.get(id)).state not in states:
            assert time.monotonic() < deadline, f"{job.state} instead of {states}"
            time.sleep(0.02)
        return job

    def claim(self, id: str) -> Claim:
        """Takes the job: to plan it, or to run it once it is confirmed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            claim = self._services.ledger.claim(id, "test", uuid.uuid4().hex)
            if claim is not None:
                return claim
            time.sleep(0.02)
        raise AssertionError(f"{self.state(id)}: nothing to claim")

    def report(self, claim: Claim) -> JobReporter:
        return JobReporter(self._services.ledger, self._services.signatures, claim, changes=False)

    def plan(self, id: str, hash: str = "a" * 64, **plan: Any) -> None:
        """Puts the question on the table."""
        with self.report(self.claim(id)) as report:
            report.planned(self._plan(id, hash, plan))

    def plan_again(self, claim: Claim, hash: str, **plan: Any) -> None:
        """What a worker does that finds the world changed after the `yes`."""
        with self.report(claim) as report:
            report.planned(self._plan(claim.id, hash, plan))

    def _plan(self, id: str, hash: str, plan: Mapping[str, Any]) -> JobPlan:
        planned = self._kind(id).plan
        assert planned
        return planned.from_json({"hash": hash, "containers": ["web"], **plan})

    def _kind(self, id: str) -> JobKind:
        return job_kinds()[self._services.job_service.get(id).request.kind]

    def finish(self, id: str, result: Mapping[str, Any]) -> None:
        """Runs the job to its good end."""
        with self.report(self.claim(id)) as report:
            step = restarting("web", StepState.SUCCEEDED)
            report.steps((step,), step)
            report.finish(JobState.SUCCEEDED, result=self._kind(id).result.from_json(result))

    def fail(self, id: str, error: ScarError) -> None:
        with self.report(self.claim(id)) as report:
            report.finish(JobState.FAILED, error=error)


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
