"""Creates the services that a front-end or the API uses, once in each process."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from scar.access import Access
from scar.alerts.desk import AlertDesk
from scar.audit import Audit
from scar.commands import all_commands, job_commands
from scar.commands.local_command import CommandContext
from scar.job_service import JobService
from scar.jobs.counters import Counters
from scar.jobs.host_reports import HostReports
from scar.jobs.ledger import Ledger
from scar.jobs.links import Links
from scar.jobs.locks import Locks
from scar.jobs.queue import JobQueue
from scar.jobs.sign_in_links import SignInLinks
from scar.jobs.signing import Signatures
from scar.jobs.subscriptions import Subscriptions
from scar.projects import Project, ProjectsFile
from scar.redis_client import connect
from scar.registration.registry import create_access
from scar.settings import Settings


@dataclass(frozen=True)
class Services:
    """The services of a process that accepts requests: a front-end or the API."""

    settings: Settings
    redis: Redis
    projects: ProjectsFile
    access: Access
    signatures: Signatures
    ledger: Ledger
    queue: JobQueue
    audit: Audit
    job_service: JobService
    subscriptions: Subscriptions
    counters: Counters
    alerts: AlertDesk
    links: Links
    command_context: CommandContext

    def default_project(self) -> Project:
        """Return the project of a command that names none; raise `project_not_found` if no
        project is configured.
        """
        return self.projects.default(self.settings)


def bootstrap(settings: Settings, part: str) -> Services:
    """Return the connected services of a part (`api`, or the name of a front-end); nothing is sent
    until one of them is used.
    """
    redis = connect(settings.effective_redis_url)
    projects = ProjectsFile.of(settings)
    access = create_access(settings)
    signatures = Signatures.of(settings, part)
    ledger, audit = Ledger(redis, signatures), Audit(redis, signatures)
    queue = JobQueue(settings.effective_redis_url, signatures)
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
    return Services(
        settings=settings,
        redis=redis,
        projects=projects,
        access=access,
        signatures=signatures,
        ledger=ledger,
        queue=queue,
        audit=audit,
        job_service=job_service,
        subscriptions=Subscriptions(redis, signatures),
        counters=Counters(redis),
        alerts=AlertDesk.of(redis, signatures),
        links=Links(redis, signatures, settings.page_url),
        command_context=_command_context(settings, job_service, redis, signatures),
    )


def _command_context(
    settings: Settings, job_service: JobService, redis: Redis, signatures: Signatures
) -> CommandContext:
    projects, page = job_service.projects, settings.page_url or settings.api_url
    links, reports = SignInLinks(redis, signatures), HostReports(redis, signatures)
    return CommandContext(
        projects=projects,
        access=job_service.access,
        ledger=job_service.ledger,
        audit=job_service.audit,
        commands=all_commands,
        locks=Locks(redis, signatures),
        alerts=AlertDesk.of(redis, signatures),
        default=lambda: projects.default(settings),
        cancel=job_service.cancel,
        containers=reports.containers,
        problems=lambda: reports.problems({n: p.host for n, p in projects.projects.items()}),
        page_link=lambda actor: f"{page}/sign-in?link={links.issue(actor)}",
    )
