"""The service layer of jobs: authorises, signs, stores and enqueues them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from scar.access import Access, Actor, Role
from scar.audit import Audit
from scar.commands.job_command import JobCommand
from scar.errors import ScarError
from scar.jobs.durations import seconds_left
from scar.jobs.ledger import ConfirmationOutcome, Ledger
from scar.jobs.proofs import binding
from scar.jobs.queue import JobQueue
from scar.jobs.record import Job, JobState
from scar.jobs.refusals import (
    awaits_no_confirmation,
    busy,
    ended_already,
    key_used_before,
    no_plan_named,
    no_plan_yet,
    plan_changed,
    settled,
)
from scar.jobs.request import Request
from scar.jobs.signing import Signatures
from scar.jobs.subscriptions import Subscriber
from scar.jobs.voucher import job_id_for
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile

_EXPIRES_MS = 15 * 60_000


@dataclass(frozen=True)
class JobService:
    """The operations on jobs that front-ends and the API use: submit, confirm, cancel and read.

    Jobs without a project run on `host`. `clock` returns seconds since the epoch.
    """

    projects: ProjectsFile
    access: Access
    ledger: Ledger
    signatures: Signatures
    queue: JobQueue
    audit: Audit
    confirm_seconds: float
    host: str
    commands: Mapping[str, JobCommand]
    clock: Callable[[], float] = time.time

    def submit(
        self,
        actor: Actor,
        command: JobCommand,
        project: Project | None,
        args: JsonObject,
        *,
        confirmed: bool = False,
        idempotency_key: str | None = None,
        subscriber: Subscriber | None = None,
        voucher: JsonObject | None = None,
        entropy: bytes | None = None,
    ) -> Job:
        """Create a job, or return the one created before with the same `idempotency_key`.

        `subscriber` is the place that is to show a new job until it has ended; `voucher` is what
        another front-end has signed to ask for it over the API; `entropy`, at least 10 bytes, is
        what the id is made of besides the time, instead of chance. Raises `unauthorized` or
        `forbidden`; `busy`; and `conflict` for a key used for another request.
        """
        actor = replace(actor, role=self._authorise(actor, command.kind, command.role, project))
        request = self._request(actor, command, project, args, voucher, entropy)
        text = json.dumps(request.to_json(), separators=(",", ":"))
        with self._audited(actor, command.kind, "refused", request.project):
            submission = self.ledger.submit(
                request,
                text,
                self.signatures.sign("request", text),
                confirm_ms=int(self.confirm_seconds * 1000),
                confirmation=self._confirmation(actor, request, None, voucher) if confirmed else "",
                idempotency=self._idempotency(actor, request, idempotency_key),
                subscriber=subscriber,
            )
            if submission.what == "busy":
                raise self._busy(request, submission.job)
        if submission.what == "differs":
            raise key_used_before()
        if submission.what == "made":
            self.queue.notify(request.host, request.id)
        return submission.job

    def confirm(
        self,
        actor: Actor,
        id: str,
        answer: str,
        *,
        shown: str | None = None,
        voucher: JsonObject | None = None,
    ) -> Job:
        """Answer the question of a job; an answer other than `yes` cancels it.

        `shown` is the hash of the plan that the person saw. A client of the API may leave it out,
        and then means the plan that the job has now; everybody else names it. Raises `conflict` if
        the job awaits no confirmation, has no plan yet, or has another plan since.
        """
        job = self.get(id)
        needed, project_of = self._role_for(job), self._project_of(job)
        role = self._authorise(actor, job.request.kind, needed, project_of)
        if answer.strip().lower() != "yes":
            return self.cancel(actor, id, voucher=voucher)
        plan_hash = self._plan_meant(actor, job, shown)
        sealed = self._confirmation(replace(actor, role=role), job.request, plan_hash, voucher)
        kind, project = job.request.kind, job.request.project
        with self._audited(actor, kind, "not confirmed", project, id):
            self._require_confirmed(job, self.ledger.confirm(job.request, sealed, plan_hash))
        self.audit.write(actor, kind, "confirmed", project=project, job=id)
        self.queue.notify(job.request.host, id)
        return self.get(id)

    def cancel(self, actor: Actor, id: str, *, voucher: JsonObject | None = None) -> Job:
        """End a job that has not begun, or ask the one that runs to stop.

        The person who asked for the job may cancel it; anybody else needs the role of operator.
        Raises `conflict` if the job has already ended.
        """
        job = self.get(id)
        own = actor == job.request.requested_by
        role = self._role_for(job) if own else max(self._role_for(job), Role.OPERATOR)
        role = self._authorise(actor, job.request.kind, role, self._project_of(job), "a cancel")
        by = replace(actor, role=role)
        content = {"job": id, "by": by.to_json(), "at": self._now(), "voucher": voucher}
        state = self.ledger.cancel(job.request, self.signatures.seal("cancellation", content))
        if state == "settled":
            raise settled(job)
        if state not in ("cancelled", "running") or job.state.ended:
            raise ended_already(job)
        self.audit.write(
            actor, job.request.kind, "cancel asked", project=job.request.project, job=id
        )
        if state == "cancelled":
            self.queue.notify(job.request.host, id)  # the host has to know that it was cancelled
        return self.get(id)

    def get(self, id: str) -> Job:
        """Return the job; raise `job_not_found` if it does not exist."""
        job = self.ledger.get(id)
        if job is None:
            raise ScarError(
                "job_not_found",
                f"Job '{id[:40]}' not found",
                "See /jobs for the latest ones; old ones are forgotten after a while.",
            )
        return job

    def _authorise(
        self, actor: Actor, kind: str, role: Role, project: Project | None, what: str | None = None
    ) -> Role:
        what = what or (self.commands[kind].noun if kind in self.commands else "this")
        try:
            return self.access.require(actor, role, project, what=what)
        except ScarError as refusal:
            name = project.name if project else None
            self.audit.write_refusal(actor, kind, f"refused: {refusal.code}", project=name)
            raise

    def _role_for(self, job: Job) -> Role:
        """Return the role that the job's kind requires; the highest role if this version does
        not know the kind.
        """
        command = self.commands.get(job.request.kind)
        return command.role if command else Role.ADMIN

    def _request(
        self,
        actor: Actor,
        command: JobCommand,
        project: Project | None,
        args: JsonObject,
        voucher: JsonObject | None,
        entropy: bytes | None,
    ) -> Request:
        now = self.clock()
        return Request(
            id=job_id_for(voucher, now, entropy),
            kind=command.kind,
            project=project.name if project else None,
            host=project.host if project else self.host,
            args=args,
            requested_by=actor,
            asks=command.asks,
            changes=command.changes,
            created_at=int(now * 1000),
            expires_at=int(now * 1000) + _EXPIRES_MS,
            locks=command.locks(project, args),
            requires_free=command.requires_free(project, args),
            voucher=voucher,
        )

    def _confirmation(
        self, actor: Actor, request: Request, plan_hash: str | None, voucher: JsonObject | None
    ) -> str:
        """Return the sealed `yes`: it is for this job alone, and for what the person saw of it."""
        content = {
            **binding(request),
            "plan": plan_hash,
            "by": actor.to_json(),
            "at": self._now(),
            "voucher": voucher,
        }
        return self.signatures.seal("confirmation", content)

    def _now(self) -> int:
        return int(self.clock() * 1000)

    def _idempotency(self, actor: Actor, request: Request, key: str | None) -> tuple[str, str]:
        """Return two hashes: of the idempotency key together with its actor, and of the
        request's content.
        """
        if key is None:
            return "", ""
        content = json.dumps([request.kind, request.project, dict(request.args)], sort_keys=True)
        return _sha256(f"{actor.frontend}:{actor.id}:{key}"), _sha256(content)

    @contextmanager
    def _audited(
        self, actor: Actor, kind: str, what: str, project: str | None, job: str = ""
    ) -> Iterator[None]:
        """Write `busy` and `conflict` errors of the block into the audit trail as refusals."""
        try:
            yield
        except ScarError as refusal:
            if refusal.code in ("busy", "conflict"):
                outcome = f"{what}: {refusal.code}"
                self.audit.write_refusal(actor, kind, outcome, project=project, job=job)
            raise

    def _require_confirmed(self, job: Job, outcome: ConfirmationOutcome) -> None:
        if outcome.what == "queued":
            return
        if outcome.what == "busy":
            raise self._busy(job.request, self.ledger.get(outcome.detail))
        if outcome.what == "changed":
            raise plan_changed()
        raise awaits_no_confirmation(job, outcome.detail)

    def _plan_meant(self, actor: Actor, job: Job, shown: str | None) -> str:
        if job.state is not JobState.AWAITING_CONFIRMATION:
            raise awaits_no_confirmation(job, job.state.value)
        if not job.plan_hash:
            raise no_plan_yet(job)
        if not shown and actor.frontend != "api":
            raise no_plan_named()
        return shown or job.plan_hash

    def _busy(self, request: Request, holder: Job | None) -> ScarError:
        left = seconds_left(self.ledger, holder, self.clock()) if holder else None
        return busy(request, holder, left)

    def _project_of(self, job: Job) -> Project | None:
        """Return the job's project; None if it is no longer in the projects file."""
        return self.projects.projects.get(job.request.project or "")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
