"""The roles of people as this worker knows them, by its own settings and projects file."""

from __future__ import annotations

from dataclasses import dataclass

from scar.access import Access, Actor, Role
from scar.jobs.locks import EVERYTHING
from scar.jobs.request import Request
from scar.jobs.results import job_kinds
from scar.projects import ProjectsFile


@dataclass(frozen=True)
class Roles:
    """Decides what people may do on this host. If this worker's settings do not name the people of
    a front-end, the role that the front-end has signed counts, since only the front-end knows them.
    """

    access: Access
    projects: ProjectsFile

    def of(self, actor: Actor, project: str | None) -> Role | None:
        """Return a person's role on a project; None for a stranger."""
        role = self.access.role_of(actor, self.projects.projects.get(project or ""))
        if not self.access.knows_people_of(actor.frontend):
            role = max((known for known in (role, actor.role) if known is not None), default=None)
        return role

    def host_of(self, project: str | None) -> str | None:
        """Return the host that the projects file says a project is on; None for an unknown one."""
        known = self.projects.projects.get(project or "")
        return known.host if known else None

    def may_ask(self, actor: Actor, request: Request) -> bool:
        """Return whether a person may submit or confirm such a job."""
        return self._has(actor, job_kinds()[request.kind].role, request.project)

    def may_cancel(self, actor: Actor, request: Request) -> bool:
        """Return whether a person may cancel a job: their own, or any as an operator."""
        kind = job_kinds().get(request.kind)
        needed = kind.role if kind else Role.ADMIN
        own = actor == request.requested_by
        return self._has(actor, needed if own else max(needed, Role.OPERATOR), request.project)

    def may_lock(self, actor: Actor, project: str) -> bool:
        """Return whether a person may lock a project, or `EVERYTHING`, and release it."""
        if project == EVERYTHING:
            return self._has(actor, Role.ADMIN, None)
        return self._has(actor, Role.OPERATOR, project)

    def _has(self, actor: Actor, needed: Role, project: str | None) -> bool:
        role = self.of(actor, project)
        return role is not None and role >= needed
