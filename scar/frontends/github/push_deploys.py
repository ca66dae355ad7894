"""Deploys pushed commits: for each project the newest push only, one deploy at a time.

The newest push is stored on Redis until its deploy has been submitted. A push that arrives during a
deploy is therefore deployed afterwards, and none is lost if this process is killed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import structlog

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.front_end import Place
from scar.errors import ScarError
from scar.frontends.github.client import GitHub, Refused
from scar.frontends.github.deliveries import Push
from scar.frontends.github.deployments import DeployedCommit, Deployments
from scar.jobs.record import Job, JobState
from scar.jobs.results.deploy import DeployResult
from scar.jobs.results.json_record import present
from scar.jobs.subscriptions import Subscription
from scar.json_object import JsonObject
from scar.project_origins import ProjectOrigins, same_repository
from scar.projects import Project, workspace_resource
from scar.redis_client import redis_errors

_PENDING = "scar:github:pushes"
_DEPLOYING = "scar:github:deploys"
_LOOK_SECONDS = 1.0
_HEAD_ASKED_SECONDS = 2.0
_HEAD_WAITED_SECONDS = 30.0
_OVERTAKEN = "Not deployed by itself: a newer push took its place"
_COMMIT_STATE = {
    JobState.SUCCEEDED: "success",
    JobState.FAILED: "failure",
    JobState.ROLLED_BACK: "failure",
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PushDeploys:
    """Submits a deploy for each waiting push, and reports the outcome of each deploy as a commit
    status.
    """

    github: GitHub
    services: Services
    _first_asked: dict[str, float] = field(default_factory=dict)

    async def note(self, id: str, letter: JsonObject) -> None:
        """Store a push for every project that deploys this branch of this repository."""
        for project in await asyncio.to_thread(self._projects_for, letter):
            push = Push.from_letter(id, project.name, letter)
            field = f"{project.name} {push.repository}"
            kept = (await asyncio.to_thread(self._entries, _PENDING)).get(field)
            earlier = self._unseal(kept, project.name) if kept else None
            if earlier and earlier.pushed_at > push.pushed_at:
                # The delivery arrived after that of a newer push.
                await self._try_status(push, "error", _OVERTAKEN)
                continue
            if earlier and earlier.commit != push.commit:
                await self._try_status(earlier, "error", _OVERTAKEN)
            # Set before the push is stored, since `run` may deploy a stored push, and set the next
            # status, at once.
            await self._try_status(push, "pending", "Waits for its deploy")
            sealed = self.services.signatures.seal("push", push.to_json())
            await asyncio.to_thread(self._put, _PENDING, field, sealed)

    async def run(self) -> None:
        """Check every second for pushes that can be deployed and for deploys that have ended.
        Runs until cancelled.
        """
        retry_at: dict[str, float] = {}
        while True:
            try:
                for field, sealed in (await asyncio.to_thread(self._entries, _PENDING)).items():
                    if retry_at.get(sealed, 0.0) > time.monotonic():
                        continue
                    retry_at.pop(sealed, None)
                    if wait := await self._deploy(field, sealed):
                        retry_at[sealed] = time.monotonic() + wait
                for id, sealed in (await asyncio.to_thread(self._entries, _DEPLOYING)).items():
                    if retry_at.get(id, 0.0) > time.monotonic():
                        continue
                    retry_at.pop(id, None)
                    if wait := await self._report_end(id, sealed):
                        retry_at[id] = time.monotonic() + wait
            except ScarError as error:
                _log.warning("pushes not looked at", reason=error.message)
            await asyncio.sleep(_LOOK_SECONDS)

    def _projects_for(self, letter: JsonObject) -> list[Project]:
        origins = ProjectOrigins(self.services.redis).known()
        return [
            project
            for name, project in self.services.projects.projects.items()
            if project.auto_deploy_branch == letter["branch"]
            and (name not in origins or same_repository(origins[name], letter["repository"]))
        ]

    async def _deploy(self, field: str, sealed: str) -> float:
        """Submit the deploy of a push; if another job has locked the project, leave the push
        stored for the next check. Return after how many seconds to look again, 0 for the next time.
        """
        name = field.partition(" ")[0]
        push = self._unseal(sealed, name)
        if push is None:
            _log.warning("push without a valid signature", project=name)
            await asyncio.to_thread(self._drop, _PENDING, field, sealed)
            return 0.0
        project = self.services.projects.projects.get(name)
        try:
            if project is None or project.auto_deploy_branch != push.branch:
                raise ScarError("conflict", "It is not deployed on a push any more", "")
            if await asyncio.to_thread(self._is_held, project):
                return 0.0
            if wait := await self._wait_for_head(push, sealed):
                return wait
            job = await asyncio.to_thread(self._submit, project, push)
        except ScarError as error:
            locks = self.services.command_context.locks
            if error.code == "busy" and not await asyncio.to_thread(locks.of, name):
                # Another job has just locked the project; a person's lock instead fails the push.
                return 0.0
            if error.code in ("redis_unavailable", "disk_full"):
                raise
            await self._try_status(push, "error", error.message)
        else:
            await asyncio.to_thread(self._put, _DEPLOYING, job.id, sealed)
            await asyncio.to_thread(self._subscribe_alerts, job, project)
            await self._try_status(push, "pending", f"Deploying ({job.id})")
            await Deployments(self.github).begin(_deployed(push, job.id))
        self._first_asked.pop(sealed, None)
        await asyncio.to_thread(self._drop, _PENDING, field, sealed)
        return 0.0

    async def _wait_for_head(self, push: Push, sealed: str) -> float:
        """Return 0 if the pushed commit is the branch's newest on GitHub, else after how many
        seconds to ask again. Raises `conflict` after half a minute, since GitHub may deliver a push
        some seconds before its API shows it.
        """
        try:
            head = await self.github.branch_head(push.repository, push.branch)
        except Refused as error:
            _log.warning("branch not read", repository=push.repository, reason=str(error))
            return error.retry_after or _HEAD_ASKED_SECONDS
        if head == push.commit:
            return 0.0
        first = self._first_asked.setdefault(sealed, time.monotonic())
        if time.monotonic() - first < _HEAD_WAITED_SECONDS:
            return _HEAD_ASKED_SECONDS
        if head is None:
            raise ScarError(
                "conflict",
                f"SCAR cannot see {push.branch} on GitHub: its token or App needs `contents: read`",
                "",
            )
        raise ScarError("conflict", _OVERTAKEN, "")

    def _is_held(self, project: Project) -> bool:
        """Return whether a job has locked the project or its workspace, so that the deploy has
        to wait.
        """
        holder = self.services.ledger.lock_holder
        return any(holder(name) for name in (project.name, workspace_resource(project)))

    def _submit(self, project: Project, push: Push) -> Job:
        repository = f"{urlsplit(push.url).netloc}/{push.repository}"
        args = {"repository": repository.lower(), "branch": push.branch, "commit": push.commit}
        return self.services.job_service.submit(
            Actor("schedule", "push", f"{push.login}'s push to {push.repository}"),
            self.services.job_service.commands["deploy"],
            project,
            {"push": args},
            confirmed=True,
            idempotency_key=f"push:{push.digest.hex()}",
            entropy=push.digest,  # the host recognises a push that it has deployed by this
        )

    def _subscribe_alerts(self, job: Job, project: Project) -> None:
        """Subscribe the chats in the project's `alerts` to the deploy's job."""
        for alert in project.alerts:
            front_end, _, chat_and_thread = alert.partition(":")
            chat, _, thread = chat_and_thread.partition("/")
            place = Place(chat, thread or None)
            self.services.subscriptions.put(Subscription(front_end, job.id, place.key))

    async def _report_end(self, id: str, sealed: str) -> float:
        """Set the commit status to the deploy's outcome; return after how many seconds to retry,
        0 if done.
        """
        job = await asyncio.to_thread(self._job, id)
        if job is not None and not job.state.ended:
            return 0.0
        project = (job.request.project if job else None) or ""
        push = self._unseal(sealed, project or None)
        if push is None:
            _log.warning("push without a valid signature", job=id)
            await asyncio.to_thread(self._drop, _DEPLOYING, id, sealed)
            return 0.0
        state, description = "error", "What became of the deploy is not known"
        if job is not None:
            state, description = _COMMIT_STATE.get(job.state, "error"), _description(job)
        try:
            await self._set_status(push, state, description)
        except Refused as error:
            _log.warning("status not set", commit=push.commit, reason=str(error))
            if error.retry_after is not None:
                return error.retry_after
        if wait := await Deployments(self.github).end(_deployed(push, id), job, description):
            return wait
        await asyncio.to_thread(self._drop, _DEPLOYING, id, sealed)
        return 0.0

    def _job(self, id: str) -> Job | None:
        """Return a job; None if there is none with a valid record. A record that was tampered with
        must not keep the other deploys from being reported.
        """
        try:
            return self.services.ledger.get(id)
        except ScarError as error:
            if error.code != "tampered":
                raise
            _log.warning("record refused", job=id[:40], reason=error.message)
            return None

    async def _try_status(self, push: Push, state: str, description: str) -> None:
        """Set the commit's status; log a failure, which must not prevent the deploy."""
        try:
            await self._set_status(push, state, description)
        except Refused as error:
            _log.warning("status not set", commit=push.commit, reason=str(error))

    async def _set_status(self, push: Push, state: str, description: str) -> None:
        context = f"scar/{push.project}"
        await self.github.set_status(push.repository, push.commit, state, context, description)

    def _unseal(self, sealed: str, project: str | None) -> Push | None:
        """Return a stored push; None if it was not sealed by SCAR for `project` (None: for any
        project).
        """
        signatures = self.services.signatures
        opened = signatures.open("push", sealed)
        if opened is None or opened.signer.part != signatures.part:
            return None
        content = opened.content
        return Push.from_json(content) if project in (None, content["for"]) else None

    def _entries(self, key: str) -> dict[str, str]:
        with redis_errors():
            return cast("dict[str, str]", self.services.redis.hgetall(key))

    def _put(self, key: str, field: str, sealed: str) -> None:
        with redis_errors():
            self.services.redis.hset(key, field, sealed)

    def _drop(self, key: str, field: str, sealed: str) -> None:
        """Delete a stored push, unless a newer one has replaced it."""
        with redis_errors():
            self.services.redis.eval(_DROP, 1, key, field, sealed)


_DROP = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
"""


def _deployed(push: Push, job_id: str) -> DeployedCommit:
    return DeployedCommit(push.repository, push.commit, push.project, job_id)


def _description(job: Job) -> str:
    if job.error is not None:
        return f"{job.state.value.replace('_', ' ')}: {job.error.message}"
    try:
        result = job.read_result(DeployResult)
    except ScarError as error:
        return error.message
    if present(result.nothing):
        return "Production already had all of it"
    downtime = present(result.downtime_seconds)
    return "Deployed" if downtime is None else f"Deployed, {downtime:.1f} s of downtime"
