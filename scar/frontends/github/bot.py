"""SCAR on GitHub: comments on issues and pull requests are a chat, pushes can be deployed.

The API takes deliveries in; this process reads them one after the other, hands what people say to
the conversation and pushes to `PushDeploys`, and drops each once it was dealt with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from scar.access import Actor, Role
from scar.bootstrap import Services, bootstrap
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place
from scar.client import ApiClient, service_token
from scar.commands import all_commands
from scar.commands.command_parser import Answer, CommandParser
from scar.errors import ScarError
from scar.frontends.github.chat import GitHubChat
from scar.frontends.github.client import GitHub, Refused
from scar.frontends.github.push_deploys import PushDeploys
from scar.frontends.github.render import first_words
from scar.frontends.until_stopped import until_stopped
from scar.jobs.inbox import Inbox
from scar.project_origins import ProjectOrigins, same_repository
from scar.redis_client import connect
from scar.settings import Settings

_WAIT_MS = 1000
_AGAIN_SECONDS = 1.0
_REMEMBERED_SECONDS = 30.0
_MAY_CHANGE = ("admin", "maintain", "push", "write")
_log = structlog.get_logger(__name__)


class GitHubBot:
    """Reads the inbox and hands on what is in it. `began` is when it did, in seconds."""

    def __init__(
        self, github: GitHub, services: Services, conversation: Conversation, pushes: PushDeploys
    ) -> None:
        self._github = github
        self._services = services
        self._conversation = conversation
        self._pushes = pushes
        self._parser = CommandParser(all_commands())
        self._repositories = ProjectOrigins(services.redis)
        self._permissions: dict[tuple[str, str], tuple[str | None, float]] = {}
        self.began = time.time()

    async def run(self, inbox: Inbox) -> None:
        """Takes up what was left, then reads; ends only cancelled, or with what ends a part of it:
        a process that is started again does more than half of one."""
        await self._conversation.resume()
        works = self._conversation.look_out(), self._pushes.run(), self._read(inbox)
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self._conversation.close()

    async def _read(self, inbox: Inbox) -> None:
        after = "0"
        while True:
            try:
                letters = await asyncio.to_thread(partial(inbox.read, after, wait_ms=_WAIT_MS))
                for id, letter in letters:
                    await self._take(id, letter)
                    await asyncio.to_thread(inbox.drop, id)
                    after = id
            except (ScarError, Refused) as error:
                _log.warning("inbox not read", reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _take(self, id: str, letter: Mapping[str, Any] | None) -> None:
        if letter is None:
            _log.warning("letter without a valid signature", letter=id)
            return
        try:
            await self._deal_with(id, letter)
        except (LookupError, TypeError, ValueError) as error:
            # Read again it would be no better, and it would keep all that follow.
            _log.error("letter not understood", letter=id, exc_info=error)

    async def _deal_with(self, id: str, letter: Mapping[str, Any]) -> None:
        if letter["event"] == "push":
            await self._pushes.note(id, letter)
            return
        incoming = await self._heard(int(id.partition("-")[0]) / 1000, letter)
        if incoming is None:
            return
        refusal = await self._refusal(incoming, letter)
        if refusal is None:
            await self._react(letter)
            await self._conversation.receive(incoming)
        else:
            await self._conversation.refuse(incoming, refusal)

    async def _heard(self, received: float, letter: Mapping[str, Any]) -> IncomingMessage | None:
        """What a person says to SCAR; None for talk among themselves."""
        text = first_words(letter["body"])
        if text is None:
            return None
        try:
            if self._parser.parse(text) is None:
                return None
        except ScarError:
            if not text.startswith("/docker_"):  # another bot's, of which there are many
                return None
        repository = letter["repository"]
        known = await asyncio.to_thread(self._repositories.known)
        about = [
            name
            for name in self._services.projects.projects
            if name in known and same_repository(known[name], repository)
        ]
        return IncomingMessage(
            actor=Actor("github", letter["login"], letter["login"]),
            place=Place(repository, str(letter["number"])),
            text=text,
            sent_at=datetime.fromisoformat(letter["created_at"]).timestamp(),
            number=None if letter["review"] else letter["id"],
            key=f"github:{'review' if letter['review'] else 'comment'}:{letter['id']}",
            stale=received < self.began,
            project=about[0] if about else None,
        )

    async def _refusal(
        self, incoming: IncomingMessage, letter: Mapping[str, Any]
    ) -> ScarError | None:
        """Why somebody with a role may not do this: GitHub itself lets them do less there."""
        projects = self._services.projects.projects.values()
        if self._services.access.highest_role(incoming.actor, projects) is None:
            return None  # a stranger, whom the conversation refuses
        try:
            meant = self._parser.parse(incoming.text)
        except ScarError:
            return None
        changes = meant is Answer.YES or (
            meant is not None
            and not isinstance(meant, Answer)
            and meant.command.role >= Role.OPERATOR
        )
        try:
            permission = await self._permission(letter["repository"], letter["login"], anew=changes)
        except Refused as error:
            return ScarError(
                "forbidden",
                f"GitHub does not say now what {letter['login']} may do here",
                f"Comment again in {error.retry_after or _AGAIN_SECONDS:.0f} seconds.",
            )
        if permission is None or permission in _MAY_CHANGE:
            return None
        if permission != "none" and not changes:
            return None
        needed = "write" if changes else "read"
        return ScarError(
            "forbidden",
            f"This needs the permission to {needed} on {letter['repository']}, and "
            f"{letter['login']} has '{permission}'",
            "An owner of the repository can give it.",
        )

    async def _permission(self, repository: str, login: str, *, anew: bool) -> str | None:
        """What GitHub lets the person do there; whoever only looks is not asked after each time."""
        known = self._permissions.get((repository, login))
        if anew or known is None or known[1] < time.monotonic() - _REMEMBERED_SECONDS:
            found = await self._github.permission(repository, login)
            known = self._permissions[repository, login] = found, time.monotonic()
        return known[0]

    async def _react(self, letter: Mapping[str, Any]) -> None:
        """👀: it was seen. A server without reactions is none the worse."""
        try:
            await self._github.react(
                letter["repository"], str(letter["id"]), review=letter["review"], content="eyes"
            )
        except Refused as error:
            _log.info("no reaction", reason=str(error))


def serve(settings: Settings) -> None:
    """Runs it until SIGTERM or SIGINT; a `ScarError` says why it cannot."""
    settings.required("github_webhook_secret")
    GitHub(settings)
    asyncio.run(until_stopped(_run(settings)))


async def _run(settings: Settings) -> None:
    services = bootstrap(settings)
    github = GitHub(settings)
    actor = Actor("console", "github", "SCAR on GitHub")
    client = ApiClient(
        settings.api_url, lambda: service_token(services.signatures, actor, time.time())
    )
    conversation = Conversation(GitHubChat(github, services.ledger.get), services, client)
    inbox = Inbox(connect(settings.effective_redis_url, timeout=5.0), "github", services.signatures)
    _log.info("listening", github=settings.github_api_url)
    try:
        await GitHubBot(github, services, conversation, PushDeploys(github, services)).run(inbox)
    finally:
        await github.close()
