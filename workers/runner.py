"""Runs one job, from the wake-up message to its end: claim, verify, run, report."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from scar.access import Actor
from scar.alerts.alert_book import AlertBook
from scar.errors import ScarError
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.counters import ENGINE_ERRORS, Counters
from scar.jobs.job_state import JobState
from scar.jobs.ledger import Ledger
from scar.jobs.locks import Locks
from scar.jobs.proofs import cancelled_by
from scar.jobs.queue import JobQueue
from scar.jobs.record import Job
from scar.jobs.request import Request
from scar.jobs.results import job_kinds
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.signing import Signatures
from scar.keys.key_store import worker_part
from scar.projects import ProjectsFile
from scar.redis_client import connect
from scar.registration.registry import create_access
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.registry import handlers
from workers.runtime.context import JobContext
from workers.runtime.handlers import PlanChanged, ReadJob, WriteJob
from workers.runtime.outcome import Outcome
from workers.runtime.reporter import JobLost, JobReporter
from workers.runtime.roles import Roles
from workers.runtime.verification import Forged, Verification
from workers.state.job_log import JobLog
from workers.state.known_locks import KnownLocks

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Runner:
    """Runs jobs, one at a time, in one process of the worker's pool."""

    settings: Settings
    ledger: Ledger
    signatures: Signatures
    verification: Verification
    projects: ProjectsFile
    engine: Engine
    containers: Containers
    job_log: JobLog
    locks: Locks
    queue: JobQueue
    counters: Counters
    alerts: AlertBook

    @classmethod
    def of(cls, settings: Settings) -> Runner:
        """Create a runner, with its own connections to Redis and the Engine."""
        redis = connect(settings.effective_redis_url)
        counters = Counters(redis)
        engine = Engine(settings.docker_host, on_error=partial(counters.add, ENGINE_ERRORS))
        signatures = Signatures.of(settings, worker_part(settings.host))
        job_log = JobLog(settings.state_dir / "done")
        projects = ProjectsFile.of(settings)
        roles = Roles(create_access(settings), projects)
        known_locks = KnownLocks(settings.state_dir / "locks.json", signatures, roles.may_lock)
        return cls(
            settings=settings,
            ledger=Ledger(redis, signatures),
            signatures=signatures,
            verification=Verification(
                host=settings.host,
                signatures=signatures,
                kinds=handlers(),
                job_log=job_log,
                roles=roles,
                lock_of=known_locks.of,
            ),
            projects=projects,
            engine=engine,
            containers=Containers(engine),
            job_log=job_log,
            locks=Locks(redis, signatures),
            queue=JobQueue(settings.effective_redis_url, signatures),
            counters=counters,
            alerts=AlertBook(redis, signatures),
        )

    def run(self, id: str, signature: str) -> None:
        """Claim and run the job, if there is anything to do; ignore a wake-up without a valid
        signature.
        """
        if not self.verification.wakeup(id, signature):
            unknown = self.signatures.unknown_key(signature)
            reason = (
                f"the key {unknown} is not known here" if unknown else "not signed for this host"
            )
            _log.warning("wake-up refused", job=id[:40], reason=reason)
            return
        try:
            claim = self.ledger.claim(id, f"{self.settings.host}-{os.getpid()}", uuid4().hex)
        except ScarError as error:
            # The job is not lost: the sweeper notifies again once Redis is available.
            _log.warning("job not claimed", job=id, reason=error.message)
            return
        if claim is not None and claim.purpose == "cancelled":
            self._note_cancelled(claim)
        elif claim is not None:
            self._do(claim)
            self._wake_next()

    def _wake_next(self) -> None:
        """Notify this host of a job that waited for a slot. If that fails, the sweeper does it
        later.
        """
        try:
            id = self.ledger.next_waiting(self.settings.host)
        except ScarError as error:
            _log.warning("waiting jobs not known", reason=error.message)
            return
        if id is not None:
            self.queue.notify(self.settings.host, id)

    def _note_cancelled(self, claim: Claim) -> None:
        """Record in this host's job log that a job was cancelled before it began, so that it is not
        run whatever Redis says later.
        """
        try:
            error = cancelled_by(self.verification.cancelled_by(claim))
            self.job_log.note_cancelled(claim.id, claim.signed, error)
            self.ledger.note_cancelled(claim.id)
        except Forged as forged:
            _log.warning("cancellation refused", job=claim.id, reason=str(forged))
        except ScarError as error:
            _log.warning("cancellation not kept", job=claim.id, reason=error.message)

    def _do(self, claim: Claim) -> None:
        try:
            request, confirmed = self.verification.verify(claim)
        except Forged as forged:
            self._refuse(claim, str(forged))
            return
        except ScarError as error:
            # A key or the job log cannot be read now. The lease expires, and the job is tried
            # again.
            _log.warning("job not verified", job=claim.id, reason=error.message)
            return
        with (
            structlog.contextvars.bound_contextvars(job=claim.id),
            self._reporter(claim, request) as reporter,
        ):
            try:
                context = self._context(claim, request, reporter)
                self._handle(claim, context, confirmed, reporter)
            except JobLost:
                _log.warning("another worker has the job", job=claim.id)
            except ScarError as error:
                # Raised while the context was created, so its text was not masked yet.
                self._finish(reporter, claim.id, error)

    def _reporter(self, claim: Claim, request: Request) -> JobReporter:
        canceller = partial(self.verification.canceller, request)
        return JobReporter(self.ledger, self.signatures, claim, request, canceller)

    def _context(self, claim: Claim, request: Request, reporter: JobReporter) -> JobContext:
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
        context.alerts = self.alerts.all
        if claim.attempt > 1:
            before = self._before(claim.id)
            context.steps.resume(before.steps if before else ())
            context.position_before = partial(self.ledger.position, claim.id)
        return context

    def _handle(
        self, claim: Claim, context: JobContext, confirmed: str | None, reporter: JobReporter
    ) -> None:
        handler = handlers()[context.request.kind]
        try:
            if isinstance(handler, ReadJob):
                reporter.finish(JobState.SUCCEEDED, result=handler.read(context))
            elif claim.purpose == "plan":
                self._plan(handler, context, reporter)
            else:
                self._write(handler, context, confirmed, claim.signed, reporter)
        except JobLost:
            raise
        except Exception as error:  # noqa: BLE001 (a job always ends, whatever happened)
            masked = context.masker.error(context.scar_error(error))
            self._finish(reporter, claim.id, masked)
        finally:
            for step, seconds in context.steps.durations:
                self.counters.observe_step(step, seconds)

    def _plan(
        self, handler: WriteJob[Any, Any, Any], context: JobContext, reporter: JobReporter
    ) -> None:
        """Report the plan, which the question then shows; or the end, if there is nothing to do."""
        plan = handler.plan(context)
        outcome = handler.already_done(context, plan)
        if outcome is None:
            reporter.planned(plan)
        else:
            reporter.finish(outcome.state, result=outcome.result)

    def _before(self, id: str) -> Job | None:
        """Return the job as an earlier, interrupted attempt left it, only for display."""
        try:
            return self.ledger.get(id)
        except ScarError as error:
            _log.warning("steps of the attempt before not known", job=id, reason=error.message)
            return None

    def _write(
        self,
        handler: WriteJob[Any, Any, Any],
        context: JobContext,
        confirmed: str | None,
        signed: SignedRequest,
        reporter: JobReporter,
    ) -> None:
        """Run a changing job; if the job log says that it has already ended on this host, report
        that outcome again.
        """
        id = context.request.id
        outcome = self.job_log.outcome(id, job_kinds()[context.request.kind].result)
        if outcome is None:
            context.resumed = self.job_log.begun(id)
            context.begun_at = self.job_log.begin(id, signed)
            try:
                outcome = handler.run(context, confirmed)
            except JobLost:
                raise
            except PlanChanged as changed:
                # Nothing was changed, and the confirmation cannot be used again.
                self.job_log.forget(id)
                reporter.planned(replace(changed.plan, changed=True))
                return
            except Exception as error:  # noqa: BLE001 (a job always ends, whatever happened)
                failure = context.scar_error(error)
                outcome = Outcome(_state_of(failure), None, failure)
            if outcome.error is not None:
                outcome = replace(outcome, error=context.masker.error(outcome.error))
            self._record_end(id, outcome)
        reporter.finish(outcome.state, result=outcome.result, error=outcome.error)

    def _record_end(self, id: str, outcome: Outcome[JsonRecord]) -> None:
        """Record the outcome in the job log. If that fails, it is logged, and the job counts as
        ended.
        """
        try:
            self.job_log.end(id, outcome)
        except ScarError as error:
            _log.warning("end of the job not kept", job=id, reason=error.message)

    def _finish(self, reporter: JobReporter, id: str, error: ScarError) -> None:
        try:
            reporter.finish(_state_of(error), error=error)
        except JobLost:
            _log.warning("another worker has the job", job=id)

    def _refuse(self, claim: Claim, reason: str) -> None:
        """End a job that must not be done, without using anything that its record says, since the
        record may be forged.
        """
        _log.warning("job refused", job=claim.id, reason=reason)
        error = ScarError(
            "forbidden",
            f"The worker on host '{self.settings.host}' refused this job: {reason}",
            "Ask again. If this comes back, `scar keys` shows which keys are known there.",
        )
        nobody = Actor("scar", "scar", "SCAR")
        request = Request(claim.id, "", None, "", {}, nobody, False, False, 0, 0)
        with self._reporter(claim, request) as reporter:
            self._finish(reporter, claim.id, error)


def _state_of(error: ScarError) -> JobState:
    return JobState.CANCELLED if error.code == "cancelled" else JobState.FAILED
