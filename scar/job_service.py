"""Takes requests in: checks who asks, signs what they ask for, writes it down, rings."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from scar.access import Access, Actor, Role
from scar.audit import Audit
from scar.commands.job_command import JobCommand
from scar.errors import ErrorRecord, ScarError
from scar.jobs.job_id import new_job_id
from scar.jobs.ledger import ConfirmationOutcome, Ledger
from scar.jobs.queue import JobQueue
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.signing import Signatures
from scar.projects import Project, ProjectsFile

_EXPIRES_MS = 15 * 60_000


@dataclass(frozen=True)
class JobService:
    """The one way in for every front-end. `host` does the jobs that are of no project; `clock`
    gives seconds since the epoch.
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
        args: Mapping[str, Any],
        *,
        confirmed: bool = False,
        idempotency_key: str | None = None,
        watch: tuple[str, str, str] = ("", "", ""),
    ) -> Job:
        """Makes the job, or gives back the one that `idempotency_key` made before.

        `watch` is the front-end, the place in it and what it needs to take its message up again.
        Raises the refusal (`unauthorized`, `forbidden`), `busy`, or `conflict` for a key used for
        something else.
        """
        role = self._authorise(actor, command.kind, command.role, project)
        actor = replace(actor, role=role)
        request = self._request(actor, command, project, args)
        text = json.dumps(request.to_json(), separators=(",", ":"))
        with self._audited(actor, command.kind, "refused", request.project):
            found = self.ledger.submit(
                request,
                text,
                self.signatures.sign("request", text),
                confirm_ms=int(self.confirm_seconds * 1000),
                confirmation=self._confirmation(actor, request.id, None) if confirmed else "",
                idempotency=self._idempotency(actor, command, project, args, idempotency_key),
                watch=watch,
            )
            if found.what == "busy":
                raise _busy(request, found.job)
        if found.what == "differs":
            raise ScarError(
                "conflict",
                "This Idempotency-Key was used for another request",
                "Use a new key for a new request.",
            )
        if found.what == "made":
            self.queue.notify(request.host, request.id)
        return found.job

    def confirm(self, actor: Actor, id: str, answer: str, *, shown: str | None = None) -> Job:
        """Answers the question of a job. `shown` is the hash of the plan that the person saw.

        Raises `conflict` where the job awaits no confirmation, or a plan that is no longer the
        one shown.
        """
        job = self.get(id)
        self._authorise(actor, job.request.kind, self._role_for(job), self._project_of(job))
        if answer.strip().lower() != "yes":
            return self.cancel(actor, id)
        plan_hash = shown or (job.plan or {}).get("hash")
        sealed = self._confirmation(actor, id, plan_hash)
        kind, project = job.request.kind, job.request.project
        with self._audited(actor, kind, "not confirmed", project, id):
            self._require_confirmed(job, self.ledger.confirm(job.request, sealed, plan_hash or ""))
        self.audit.write(actor, kind, "confirmed", project=project, job=id)
        self.queue.notify(job.request.host, id)
        return self.get(id)

    def cancel(self, actor: Actor, id: str) -> Job:
        """Ends a job that has not begun, or asks the one that runs to stop.

        Whoever asked for it may; anybody else has to be an operator. Raises `conflict` where the
        job has ended already.
        """
        job = self.get(id)
        own = actor == job.request.requested_by
        role = self._role_for(job) if own else max(self._role_for(job), Role.OPERATOR)
        self._authorise(actor, job.request.kind, role, self._project_of(job))
        who = f"{actor.name} ({actor.frontend})"
        sealed = self.signatures.seal("cancellation", {"job": id, "by": actor.to_json()})
        error = ErrorRecord(
            "cancelled", f"Cancelled by {who}", "Nothing was done. Ask again if you want it."
        )
        state = self.ledger.cancel(id, sealed, error, changes=job.request.changes)
        if state == "settled":
            raise ScarError(
                "conflict",
                f"Too late: {job.request.kind} {id} is done but for its last words",
                "/docker_rollback brings back what was there before.",
            )
        if state not in ("cancelled", "running") or job.state.ended:
            raise ScarError(
                "conflict",
                f"Job {id} has ended already ({job.state.value})",
                "There is nothing left to cancel.",
            )
        self.audit.write(
            actor, job.request.kind, "cancel asked", project=job.request.project, job=id
        )
        return self.get(id)

    def get(self, id: str) -> Job:
        """The job; `job_not_found` where there is none."""
        job = self.ledger.get(id)
        if job is None:
            raise ScarError(
                "job_not_found",
                f"Job '{id[:40]}' not found",
                "See /jobs for the latest ones; old ones are forgotten after a while.",
            )
        return job

    def _authorise(self, actor: Actor, kind: str, role: Role, project: Project | None) -> Role:
        try:
            return self.access.require(actor, role, project)
        except ScarError as refusal:
            name = project.name if project else None
            self.audit.write(actor, kind, f"refused: {refusal.code}", project=name)
            raise

    def _role_for(self, job: Job) -> Role:
        """The role that a job's kind needs; of a kind that is known no more, the highest."""
        command = self.commands.get(job.request.kind)
        return command.role if command else Role.ADMIN

    def _request(
        self, actor: Actor, command: JobCommand, project: Project | None, args: Mapping[str, Any]
    ) -> Request:
        now = self.clock()
        return Request(
            id=new_job_id(now),
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
        )

    def _confirmation(self, actor: Actor, id: str, plan_hash: str | None) -> str:
        content = {
            "job": id,
            "plan": plan_hash,
            "by": actor.to_json(),
            "at": int(self.clock() * 1000),
        }
        return self.signatures.seal("confirmation", content)

    def _idempotency(
        self,
        actor: Actor,
        command: JobCommand,
        project: Project | None,
        args: Mapping[str, Any],
        key: str | None,
    ) -> tuple[str, str]:
        if key is None:
            return "", ""
        name = project.name if project else None
        asked = json.dumps([command.kind, name, dict(args)], sort_keys=True)
        owner = f"{actor.frontend}:{actor.id}:{key}"
        return hashlib.sha256(owner.encode()).hexdigest(), hashlib.sha256(
            asked.encode()
        ).hexdigest()

    @contextmanager
    def _audited(
        self, actor: Actor, kind: str, what: str, project: str | None, job: str = ""
    ) -> Iterator[None]:
        """Brings a refusal into the trail; that Redis is away is none."""
        try:
            yield
        except ScarError as refusal:
            if refusal.code in ("busy", "conflict"):
                self.audit.write(actor, kind, f"{what}: {refusal.code}", project=project, job=job)
            raise

    def _require_confirmed(self, job: Job, outcome: ConfirmationOutcome) -> None:
        if outcome.what == "queued":
            return
        if outcome.what == "busy":
            raise _busy(job.request, self.ledger.get(outcome.detail))
        if outcome.what == "changed":
            raise ScarError(
                "conflict", "The plan has changed since it was shown", "Look at the new plan first."
            )
        raise ScarError(
            "conflict",
            f"Job {job.id} awaits no confirmation ({outcome.detail})",
            "Ask again to get a new question.",
        )

    def _project_of(self, job: Job) -> Project | None:
        """The project a job is for; None once it has left the projects file."""
        return self.projects.projects.get(job.request.project or "")


def awaiting(job: Job) -> bool:
    """Whether the job has a question on the table."""
    return job.state is JobState.AWAITING_CONFIRMATION and job.plan is not None


def _busy(request: Request, holder: Job | None) -> ScarError:
    what = f"Project '{request.project}'" if request.project else "What this would change"
    if holder is None:
        return ScarError("busy", f"{what} is held", "Ask again in a moment.")
    if request.project and request.project not in holder.request.locks:
        what = f"The workspace of '{request.project}'"
    who = holder.request.requested_by
    since = time.strftime("%H:%M:%S", time.gmtime(holder.request.created_at / 1000))
    return ScarError(
        "busy",
        f"{what} is held by {holder.request.kind} {holder.id} "
        f"of {who.name} ({who.frontend}), since {since} UTC",
        f"Wait until it has ended; /job_{holder.id} shows how far it is.",
    )
