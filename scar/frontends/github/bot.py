"""`scar github`: comments on issues and pull requests are a chat, and pushes can be deployed.

The API puts webhook deliveries into an inbox on Redis. This process reads them in order, passes
comments to the conversation and pushes to `PushDeploys`, and deletes each delivery once it is
handled. Of several such processes, one does this and the others wait.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog

from scar.access import Actor
from scar.bootstrap import Services, bootstrap
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place
from scar.client import ApiClient
from scar.commands import all_commands
from scar.commands.command_parser import CommandParser
from scar.errors import ScarError
from scar.frontends.github.accounts import Accounts
from scar.frontends.github.chat import GitHubChat
from scar.frontends.github.client import AuthoredComment, GitHub, Refused
from scar.frontends.github.deliveries import CommentDelivery
from scar.frontends.github.permissions import Permissions
from scar.frontends.github.push_deploys import PushDeploys
from scar.frontends.github.render import first_words
from scar.frontends.lease import Lease
from scar.frontends.signals import run_until_signal
from scar.jobs.github_delivery import from_letter
from scar.jobs.inbox import Inbox
from scar.json_object import MALFORMED, JsonObject
from scar.project_origins import ProjectOrigins, same_repository
from scar.redis_client import connect
from scar.settings import Settings

_WAIT_MS = 1000
_RETRY_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class GitHubBot:
    """Reads deliveries from the inbox. Those received before `began` (seconds since the epoch),
    when this process started, are stale.
    """

    def __init__(
        self, github: GitHub, services: Services, conversation: Conversation, pushes: PushDeploys
    ) -> None:
        self._github = github
        self._services = services
        self._conversation = conversation
        self._pushes = pushes
        self._parser = CommandParser(all_commands())
        self._permissions = Permissions(github, self._parser)
        self._origins = ProjectOrigins(services.redis)
        self._accounts = Accounts(services.redis, services.signatures)
        self.began = time.time()

    async def read(self, inbox: Inbox) -> None:
        """Read and handle deliveries until cancelled."""
        if self._services.projects.problem is None:  # an invalid file would give an empty list
            with suppress(ScarError):  # a later process does it
                await asyncio.to_thread(self._accounts.forget_others, self._named())
        after = "0"
        while True:
            try:
                letters = await asyncio.to_thread(partial(inbox.read, after, wait_ms=_WAIT_MS))
                for id, letter in letters:
                    await self._handle(id, letter)
                    await asyncio.to_thread(inbox.drop, id)
                    after = id
            except (ScarError, Refused) as error:
                _log.warning("inbox not read", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _handle(self, id: str, letter: JsonObject | None) -> None:
        """Handle one delivery. One that cannot be parsed is logged and dropped, since it would
        fail every time.
        """
        secret = self._services.settings.github_webhook_secret or ""
        delivery = from_letter(letter, secret) if letter is not None and secret else None
        if delivery is None:
            _log.warning("delivery that GitHub has not signed", letter=id)
            return
        try:
            if delivery["event"] == "push":
                await self._pushes.note(id, delivery)
            else:
                received_at = int(id.partition("-")[0]) / 1000
                await self._handle_comment(received_at, CommentDelivery.from_json(delivery))
        except MALFORMED as error:
            _log.error("letter not understood", letter=id, exc_info=error)

    async def _handle_comment(self, received_at: float, comment: CommentDelivery) -> None:
        incoming = await self._incoming_message(received_at, comment)
        if incoming is None:
            return
        written = await self._written(comment)
        if written is None:
            _log.warning("comment that GitHub does not have like this", comment=comment.id)
            return
        projects = self._services.projects.projects.values()
        if self._services.access.highest_role(incoming.actor, projects) is None:
            refusal = None  # a stranger; the conversation refuses them with its own message
        else:
            refusal = await self._refusal(incoming, written.account)
        if refusal is None:
            await self._react(comment)
            await self._conversation.receive(incoming)
        else:
            await self._conversation.refuse(incoming, refusal)

    async def _written(self, comment: CommentDelivery) -> AuthoredComment | None:
        """Return the comment as GitHub has it now; None if it differs from the delivery."""
        try:
            written = await self._github.comment_of(
                comment.repository, comment.id, review=comment.is_review
            )
        except Refused as error:
            if error.retry_after is not None:
                raise
            _log.warning("comment not read", comment=comment.id, reason=str(error))
            return None
        return written if written is not None and comment.is_same(written) else None

    async def _refusal(self, incoming: IncomingMessage, account: int) -> ScarError | None:
        """Return why a person whom SCAR knows may not say this, or None."""
        login = incoming.actor.id
        if login.lower() in self._named():
            try:
                await asyncio.to_thread(self._accounts.require_same, login, account)
            except ScarError as error:
                if error.code != "forbidden":
                    raise
                return error
        return await self._permissions.refusal(incoming)

    def _named(self) -> set[str]:
        """Return the logins that settings and projects file give roles, in small letters."""
        named = set(self._services.settings.github_users)
        for project in self._services.projects.projects.values():
            for people in project.roles.values():
                named |= {key.partition(":")[2] for key in people if key.startswith("github:")}
        return {login.lower() for login in named}

    async def _incoming_message(
        self, received_at: float, comment: CommentDelivery
    ) -> IncomingMessage | None:
        """Return the comment as a message for SCAR; None if it is not addressed to SCAR."""
        text = first_words(comment.body)
        if text is None or not self._is_for_scar(text):
            return None
        kind = "review" if comment.is_review else "comment"
        return IncomingMessage(
            actor=Actor("github", comment.login, comment.login),
            place=Place(comment.repository, str(comment.number)),
            text=text,
            sent_at=datetime.fromisoformat(comment.created_at).timestamp(),
            number=None if comment.is_review else comment.id,
            key=f"github:{kind}:{comment.id}",
            stale=received_at < self.began,
            project=await asyncio.to_thread(self._project_of, comment.repository),
        )

    def _is_for_scar(self, text: str) -> bool:
        try:
            return self._parser.parse(text) is not None
        except ScarError:
            # Other unknown commands may be for other bots in the repository.
            return text.startswith("/docker_")

    def _project_of(self, repository: str) -> str | None:
        """Return the first project whose workspace was cloned from the repository, or None."""
        origins = self._origins.known()
        for name in self._services.projects.projects:
            if name in origins and same_repository(origins[name], repository):
                return name
        return None

    async def _react(self, comment: CommentDelivery) -> None:
        """Add the reaction 👀 to the comment, to show that it was received; a failure is only
        logged.
        """
        try:
            await self._github.react(
                comment.repository, str(comment.id), review=comment.is_review, content="eyes"
            )
        except Refused as error:
            _log.info("no reaction", reason=str(error))


def serve(settings: Settings) -> None:
    """Run the front-end until SIGTERM or SIGINT; raise `ScarError` if it cannot run."""
    settings.required("github_webhook_secret")
    GitHub(settings)
    run_until_signal(_run(settings))


async def _run(settings: Settings) -> None:
    services = bootstrap(settings, GitHubChat.name)
    lease = Lease(services.redis, GitHubChat.name)
    await lease.wait()
    github = GitHub(settings)
    client = ApiClient.for_service(settings.api_url, services.signatures)
    conversation = Conversation(
        GitHubChat(github, services.ledger.get, services.links.of_job), services, client
    )
    pushes = PushDeploys(github, services)
    bot = GitHubBot(github, services, conversation, pushes)
    inbox = Inbox(connect(settings.effective_redis_url, timeout=5.0), "github", services.signatures)
    _log.info("listening", github=settings.github_api_url)
    try:
        await conversation.run(pushes.run(), bot.read(inbox), lease.keep())
    finally:
        with suppress(ScarError):  # the lease expires by itself
            await asyncio.to_thread(lease.release)
        await github.close()
