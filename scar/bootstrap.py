"""Puts the parts of a front-end or the API together, once per process."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from scar.access import Access
from scar.audit import Audit
from scar.commands import all_commands, job_commands
from scar.commands.local_command import CommandContext
from scar.job_service import JobService
from scar.jobs.ledger import Ledger
from scar.jobs.locks import Locks
from scar.jobs.queue import JobQueue
from scar.jobs.signing import Signatures
from scar.projects import Project, ProjectsFile
from scar.redis_client import connect
from scar.settings import Settings


@dataclass(frozen=True)
class Services:
    """Everything that a process which takes requests needs."""

    settings: Settings
    redis: Redis
    projects: ProjectsFile
    access: Access
    signatures: Signatures
    ledger: Ledger
    queue: JobQueue
    audit: Audit
    job_service: JobService
    command_context: CommandContext

    def default_project(self) -> Project:
        """The project that a command without one means; `project_not_found` if there is none."""
        return self.projects.default(self.settings)


def bootstrap(settings: Settings) -> Services:
    """Connects the parts; nothing is sent until one of them is used."""
    redis = connect(settings.effective_redis_url)
    projects = ProjectsFile.of(settings)
    access = Access(settings)
    signatures = Signatures(settings.signing_key())
    ledger = Ledger(redis)
    queue = JobQueue(settings.effective_redis_url, signatures)
    audit = Audit(redis)
    job_service = JobService(
        projects=projects,
        access=access,
        ledger=ledger,
        signatures=signatures,
        queue=queue,
        audit=audit,
        confirm_seconds=settings.confirm_seconds,
        host=settings.host,
        commands=job_commands(),
    )
    command_context = CommandContext(
        projects=projects,
        access=access,
        ledger=ledger,
        audit=audit,
        commands=all_commands,
        locks=Locks(redis),
        default=lambda: projects.default(settings),
        cancel=job_service.cancel,
    )
    return Services(
        settings,
        redis,
        projects,
        access,
        signatures,
        ledger,
        queue,
        audit,
        job_service,
        command_context,
    )
