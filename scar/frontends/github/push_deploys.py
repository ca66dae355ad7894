"""Deploys what is pushed: of each project the newest, one after the other, and says how it went.

What was pushed last is kept on Redis until a deploy was asked for, so that a push while one works
leads to one more, and a process that is killed forgets none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import structlog

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.front_end import Place
from scar.errors import ScarError
from scar.frontends.github.client import GitHub, Refused
from scar.jobs.record import Job, JobState
from scar.project_origins import ProjectOrigins, same_repository
from scar.projects import Project, workspace_resource
from scar.redis_client import redis_errors

_WAITING = "scar:github:pushes"
_UNDER_WAY = "scar:github:deploys"
_LOOK_SECONDS = 1.0
_OVERTAKEN = "Not deployed by itself: a newer push took its place"
_STATE = {
    JobState.SUCCEEDED: "success",
    JobState.FAILED: "failure",
    JobState.ROLLED_BACK: "failure",
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PushDeploys:
    """The pushes that wait for their deploy, and the deploys whose end GitHub is to be told."""

    github: GitHub
    services: Services

    async def note(self, id: str, letter: Mapping[str, Any]) -> None:
        """Keeps a push for every project that deploys that branch of that repository."""
        for project in await asyncio.to_thread(self._meant, letter):
            place = f"{project.name} {letter['repository']}"
            before = (await asyncio.to_thread(self._all, _WAITING)).get(place)
            push = self.services.signatures.seal("push", {"id": id, "for": project.name, **letter})
            earlier = self._read(before, project.name) if before else None
            if earlier and _moment(earlier) > _moment(letter):
                await self._tell(letter, project.name, "error", _OVERTAKEN)  # delivered late
                continue
            if earlier and earlier["commit"] != letter["commit"]:
                await self._tell(earlier, project.name, "error", _OVERTAKEN)
            # Said first: what is kept may be deployed, and told, in the same moment.
            await self._tell(letter, project.name, "pending", "Waits for its deploy")
            await asyncio.to_thread(self._keep, _WAITING, place, push)

    async def run(self) -> None:
        """Looks once a second what can be done; until cancelled."""
        again: dict[str, float] = {}
        while True:
            try:
                for place, push in (await asyncio.to_thread(self._all, _WAITING)).items():
                    await self._deploy(place, push)
                for id, push in (await asyncio.to_thread(self._all, _UNDER_WAY)).items():
                    if again.get(id, 0.0) > time.monotonic():
                        continue
                    again.pop(id, None)
                    if wait := await self._follow(id, push):
                        again[id] = time.monotonic() + wait
            except ScarError as error:
                _log.warning("pushes not looked at", reason=error.message)
            await asyncio.sleep(_LOOK_SECONDS)

    def _meant(self, letter: Mapping[str, Any]) -> list[Project]:
        known = ProjectOrigins(self.services.redis).known()
        return [
            project
            for name, project in self.services.projects.projects.items()
            if project.auto_deploy_branch == letter["branch"]
            and (name not in known or same_repository(known[name], letter["repository"]))
        ]

    async def _deploy(self, place: str, text: str) -> None:
        """Asks for the deploy, unless another job holds the project: then later."""
        name = place.partition(" ")[0]
        push = self._read(text, name)
        if push is None:
            _log.warning("push without a valid signature", project=name)
            await asyncio.to_thread(self._drop, _WAITING, place, text)
            return
        project = self.services.projects.projects.get(name)
        try:
            if project is None or project.auto_deploy_branch != push["branch"]:
                raise ScarError("conflict", "It is not deployed on a push any more", "")
            if await asyncio.to_thread(self._held, project):
                return
            job = await asyncio.to_thread(self._submit, project, push)
        except ScarError as error:
            locks = self.services.command_context.locks
            if error.code == "busy" and not await asyncio.to_thread(locks.of, name):
                return  # held since a moment ago; only a person's lock is not waited for
            if error.code in ("redis_unavailable", "disk_full"):
                raise
            await self._tell(push, name, "error", error.message)
        else:
            await asyncio.to_thread(self._keep, _UNDER_WAY, job.id, text)
            await self._show(job, project)
            await self._tell(push, name, "pending", f"Deploying ({job.id})")
        await asyncio.to_thread(self._drop, _WAITING, place, text)

    def _held(self, project: Project) -> bool:
        """Whether a job is at work on the project or in its workspace: its end is waited for."""
        holder = self.services.ledger.lock_holder
        return any(holder(name) for name in (project.name, workspace_resource(project)))

    def _submit(self, project: Project, push: Mapping[str, Any]) -> Job:
        repository = f"{urlsplit(push['url']).netloc}/{push['repository']}"
        who = f"{push['login']}'s push to {push['repository']}"
        return self.services.job_service.submit(
            Actor("schedule", "push", who),
            self.services.job_service.commands["deploy"],
            project,
            {
                "push": {
                    "repository": repository.lower(),
                    "branch": push["branch"],
                    "commit": push["commit"],
                }
            },
            confirmed=True,
            idempotency_key=f"push:{push['id']}",
        )

    async def _show(self, job: Job, project: Project) -> None:
        """Has the chats that the project's `alerts` names show the deploy."""
        for alert in project.alerts:
            front_end, _, rest = alert.partition(":")
            chat, _, thread = rest.partition("/")
            place = Place(chat, thread or None)
            await asyncio.to_thread(self.services.ledger.watch, front_end, job.id, place.key, "{}")

    async def _follow(self, id: str, text: str) -> float:
        """Tells how a deploy ended; in how many seconds that has to be tried again."""
        job = await asyncio.to_thread(self.services.ledger.get, id)
        if job is not None and not job.state.ended:
            return 0.0
        project = (job.request.project if job else None) or ""
        push = self._read(text, project or None)
        if push is None:
            _log.warning("push without a valid signature", job=id)
            await asyncio.to_thread(self._drop, _UNDER_WAY, id, text)
            return 0.0
        state, description = "error", "What became of the deploy is not known"
        if job is not None:
            state, description = _STATE.get(job.state, "error"), _description(job)
        try:
            await self._set_status(push, push["for"], state, description)
        except Refused as error:
            _log.warning("status not set", commit=push["commit"], reason=str(error))
            if error.retry_after is not None:
                return error.retry_after
        await asyncio.to_thread(self._drop, _UNDER_WAY, id, text)
        return 0.0

    async def _tell(
        self, push: Mapping[str, Any], project: str, state: str, description: str
    ) -> None:
        """Sets the commit's status. That GitHub does not take it stops no deploy."""
        try:
            await self._set_status(push, project, state, description)
        except Refused as error:
            _log.warning("status not set", commit=push["commit"], reason=str(error))

    async def _set_status(
        self, push: Mapping[str, Any], project: str, state: str, description: str
    ) -> None:
        await self.github.set_status(
            push["repository"], push["commit"], state, f"scar/{project}", description
        )

    def _read(self, text: str, project: str | None) -> dict[str, Any] | None:
        """A push that was kept; None for one that SCAR did not keep for `project` (None: any)."""
        push = self.services.signatures.unseal("push", text)
        return push if push and project in (None, push["for"]) else None

    def _all(self, key: str) -> dict[str, str]:
        with redis_errors():
            return cast("dict[str, str]", self.services.redis.hgetall(key))

    def _keep(self, key: str, name: str, text: str) -> None:
        with redis_errors():
            self.services.redis.hset(key, name, text)

    def _drop(self, key: str, name: str, text: str) -> None:
        """Drops what was dealt with, unless something newer took its place meanwhile."""
        with redis_errors():
            self.services.redis.eval(_DROP, 1, key, name, text)


_DROP = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
"""


def _moment(push: Mapping[str, Any]) -> float:
    """When GitHub took it in, in seconds since the epoch; what is delivered may be out of order."""
    return float(push.get("pushed_at", 0.0))


def _description(job: Job) -> str:
    if job.error is not None:
        return f"{job.state.value.replace('_', ' ')}: {job.error.message}"
    result = job.result or {}
    if result.get("nothing"):
        return "Production already had all of it"
    downtime = result.get("downtime_seconds")
    return "Deployed" if downtime is None else f"Deployed, {downtime:.1f} s of downtime"
