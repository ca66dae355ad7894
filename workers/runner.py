"""From the bell to the last word: claim, believe, run, finish."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import structlog

from scar.errors import ScarError
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.ledger import Ledger
from scar.jobs.locks import Locks
from scar.jobs.record import JobState
from scar.jobs.request import Request
from scar.jobs.signing import Signatures
from scar.jobs.step import Step
from scar.projects import ProjectsFile
from scar.redis_client import connect
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.registry import handlers
from workers.runtime.context import JobContext, Outcome, PlanChanged, ReadJob, WriteJob
from workers.runtime.reporter import JobLost, JobReporter
from workers.state.job_log import JobLog

_log = structlog.get_logger(__name__)


class Forged(Exception):
    """A record that no front-end signed, or that is not for this worker to do."""


@dataclass(frozen=True)
class Runner:
    """Runs jobs in one pool process. `clock` gives seconds since the epoch."""

    settings: Settings
    ledger: Ledger
    signatures: Signatures
    projects: ProjectsFile
    engine: Engine
    containers: Containers
    job_log: JobLog
    locks: Locks
    clock: Callable[[], float] = time.time

    @classmethod
    def of(cls, settings: Settings) -> Runner:
        """A runner with its own connections."""
        engine = Engine(settings.docker_host)
        redis = connect(settings.effective_redis_url)
        return cls(
            settings=settings,
            ledger=Ledger(redis),
            signatures=Signatures(settings.signing_key()),
            projects=ProjectsFile.of(settings),
            engine=engine,
            containers=Containers(engine),
            job_log=JobLog(settings.state_dir / "done"),
            locks=Locks(redis),
        )

    def run(self, id: str, signature: str) -> None:
        """Does the job if it is to be had; a bell without a valid signature is not heard."""
        if not self.signatures.valid("wakeup", f"{self.settings.host}/{id}", signature):
            _log.warning("bell refused: it was not signed for this host", job=id[:40])
            return
        try:
            claim = self.ledger.claim(id, f"{self.settings.host}-{os.getpid()}", uuid4().hex)
        except ScarError as error:
            # Nothing is lost: the sweeper rings again once Redis is back.
            _log.warning("job not claimed", job=id, reason=error.message)
            return
        if claim is not None:
            self._do(claim)

    def _do(self, claim: Claim) -> None:
        try:
            request, shown = self._believe(claim)
        except Forged as forged:
            self._refuse(claim, str(forged))
            return
        with JobReporter(self.ledger, self.signatures, claim, changes=request.changes) as reporter:
            try:
                self._work(claim, request, shown, reporter)
            except JobLost:
                _log.warning("job is in other hands", job=claim.id)
            except ScarError as error:
                # Only what came before the context was made: the context masks its own errors.
                self._finish(reporter, claim.id, error)

    def _work(
        self, claim: Claim, request: Request, shown: str | None, reporter: JobReporter
    ) -> None:
        work = handlers()[request.kind]
        context = JobContext(
            request,
            self.projects.get(request.project) if request.project else None,
            self.settings,
            self.engine,
            self.containers,
            reporter,
            self.locks,
            attempt=claim.attempt,
        )
        if claim.attempt > 1:
            context.take_up(self._steps_before(claim.id))
        try:
            if isinstance(work, ReadJob):
                reporter.finish(JobState.SUCCEEDED, result=work.read(context))
            elif claim.purpose == "plan":
                reporter.planned(work.plan(context))
            else:
                self._operate(work, context, shown, claim.signed, reporter)
        except JobLost:
            raise
        except Exception as error:  # noqa: BLE001 (a job always ends, whatever happened)
            self._finish(reporter, claim.id, context.told(context.foreseen(error)))

    def _steps_before(self, id: str) -> tuple[Step, ...]:
        """What an attempt that was cut off has told; only to be shown."""
        try:
            before = self.ledger.get(id)
        except ScarError as error:
            _log.warning("steps of the attempt before not known", job=id, reason=error.message)
            return ()
        return before.steps if before else ()

    def _operate(
        self,
        work: WriteJob,
        context: JobContext,
        shown: str | None,
        signed: SignedRequest,
        reporter: JobReporter,
    ) -> None:
        id = context.request.id
        known = self.job_log.outcome(id)
        if known is None:
            context.resumed = self.job_log.begun(id)
            context.begun_at = self.job_log.begin(id, signed)
            try:
                known = work.run(context, shown)
            except JobLost:
                raise
            except PlanChanged as changed:
                self.job_log.forget(id)  # nothing was done, and that confirmation is spent
                reporter.planned({**changed.plan, "changed": True})
                return
            except Exception as error:  # noqa: BLE001 (and so does its operation)
                found = context.foreseen(error)
                known = Outcome(_state_of(found), None, found)
            if known.error is not None:
                known = replace(known, error=context.told(known.error))
            self._note_end(id, known)
        reporter.finish(known.state, result=known.result, error=known.error)

    def _note_end(self, id: str, outcome: Outcome) -> None:
        """Where that cannot be kept the job has still ended as it has, and says so."""
        try:
            self.job_log.end(id, outcome)
        except ScarError as error:
            _log.warning("end of the job not kept", job=id, reason=error.message)

    def _finish(self, reporter: JobReporter, id: str, error: ScarError) -> None:
        try:
            reporter.finish(_state_of(error), error=error)
        except JobLost:
            _log.warning("job is in other hands", job=id)

    def _believe(self, claim: Claim) -> tuple[Request, str | None]:
        """The request and the plan that was confirmed, once everything about them is signed."""
        if not self.signatures.valid("request", claim.signed.request, claim.signed.signature):
            raise Forged("its request carries no valid signature")
        request = Request.from_json(json.loads(claim.signed.request))
        if request.id != claim.id:
            raise Forged("its request was signed for another job")
        if request.host != self.settings.host:
            raise Forged(f"it is addressed to host '{request.host}'")
        if request.kind not in handlers():
            raise Forged(f"this worker knows no '{request.kind}'")
        if request.expires_at < self.clock() * 1000 and not self.job_log.begun(claim.id):
            raise Forged("it is too old")
        if claim.purpose == "plan" or not request.asks:
            return request, None
        confirmation: dict[str, Any] | None = self.signatures.unseal(
            "confirmation", claim.signed.confirmation
        )
        if confirmation is None or confirmation["job"] != claim.id:
            raise Forged("its confirmation carries no valid signature")
        return request, confirmation["plan"]

    def _refuse(self, claim: Claim, reason: str) -> None:
        _log.warning("job refused", job=claim.id, reason=reason)
        error = ScarError(
            "forbidden",
            f"The worker on host '{self.settings.host}' refused this job: {reason}",
            "Ask again. If this comes back, check that every part has the same SCAR_SECRET_KEY.",
        )
        with JobReporter(self.ledger, self.signatures, claim, changes=False) as reporter:
            self._finish(reporter, claim.id, error)


def _state_of(error: ScarError) -> JobState:
    return JobState.CANCELLED if error.code == "cancelled" else JobState.FAILED
