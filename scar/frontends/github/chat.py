"""Sends messages as GitHub comments, and edits them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from scar.chat.front_end import Place, SentMessage, Undelivered
from scar.document import Attachment, Document, Link, Picture
from scar.errors import ScarError
from scar.frontends.github.client import GitHub, Refused
from scar.frontends.github.render import MARK, fit, to_markdown
from scar.jobs.record import Job
from scar.jobs.timestamp import rfc3339
from scar.json_object import JsonObject

_EDIT_SECONDS = 3.0
_LONG_SECONDS = 300.0
"""Seconds after which a successful job's end gets a comment. Each comment is a mail to every
participant, so short jobs get none.
"""


class GitHubChat:
    """Implements the chat's `FrontEnd` for GitHub. A place is a repository and the number of an
    issue or pull request.

    `job` returns a job by its id, `links` the links to it; a comment contains the job's outcome as
    hidden JSON for programs.
    """

    name = "github"
    bot_name: str | None = None
    long_seconds: float | None = _LONG_SECONDS

    def __init__(
        self,
        github: GitHub,
        job: Callable[[str], Job | None],
        links: Callable[[str], tuple[Link, ...]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._github = github
        self._job = job
        self._links = links
        self._began = clock()

    def fit(self, document: Document) -> Document:
        """Return the document shortened to what fits into one comment."""
        return fit(document)

    def interval(self, place: Place) -> float:  # noqa: ARG002
        """Return 3 seconds: the minimum between two edits."""
        return _EDIT_SECONDS

    async def send(self, place: Place, document: Document, tag: str) -> SentMessage:
        """Write a comment. If a process that was killed had already written the job's comment,
        edit that one.
        """
        job = await self._job_of(tag)
        body = await self._body(document, job)
        with _undelivered():
            written = await self._written(place, job) if job else None
            if written is not None:
                made = await self._github.edit(place.chat, written, body)
            else:
                made = await self._github.comment(place.chat, place.thread or "", body)
        return SentMessage(made.id, made.at)

    async def notify(
        self,
        place: Place,
        document: Document,
        tag: str,
        *,
        reply_to: str | None,  # noqa: ARG002
    ) -> SentMessage:
        """Write a separate comment, since GitHub notifies nobody of an edit."""
        job = await self._job_of(tag)
        body = to_markdown(await self._linked(document, job))
        with _undelivered():
            made = await self._github.comment(place.chat, place.thread or "", body)
        return SentMessage(made.id, made.at)

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:
        """Edit a comment."""
        job = await self._job_of(tag)
        body = await self._body(document, job)
        with _undelivered():
            return (await self._github.edit(place.chat, reference, body)).at

    async def attach(self, place: Place, reference: str, attachment: Attachment) -> None:
        """Do nothing, since GitHub accepts no files; the comment contains the attachment in a
        folded block.
        """

    async def send_picture(self, place: Place, reference: str, picture: Picture) -> None:
        """Do nothing, since GitHub accepts no files."""

    async def _written(self, place: Place, job: Job) -> str | None:
        """Return the id of the comment that an earlier process wrote for the job, or None.

        Anybody can copy the hidden block of a comment, so its author has to be SCAR itself.
        """
        if job.request.created_at > self._began * 1000:
            return None
        own = await self._github.own_login()
        since = rfc3339(job.request.created_at) or ""
        mark = f'{MARK}: {{"'
        named = f'"job":"{job.id}"'
        for comment in await self._github.comments(place.chat, place.thread or "", since):
            _, separator, outcome = comment["body"].rpartition(mark)
            if separator and named in outcome and own and _author(comment) == own.lower():
                return str(comment["id"])
        return None

    async def _body(self, document: Document, job: Job | None) -> str:
        """Return the comment about a job, with its outcome for programs."""
        return to_markdown(await self._linked(document, job), _outcome(job) if job else None)

    async def _linked(self, document: Document, job: Job | None) -> Document:
        """Return the document with the links to its job."""
        if job is None:
            return document
        return document.with_links(await asyncio.to_thread(self._links, job.id))

    async def _job_of(self, tag: str) -> Job | None:
        id = tag.partition(":")[0]
        try:
            return await asyncio.to_thread(self._job, id) if id else None
        except ScarError as error:
            raise Undelivered(error.message, _EDIT_SECONDS) from error


def _author(comment: JsonObject) -> str:
    user = comment.get("user")
    return str(user.get("login", "")).lower() if isinstance(user, dict) else ""


def _outcome(job: Job) -> JsonObject:
    """Return the outcome of a job as JSON for programs, with the same keys for every kind of
    job.
    """
    result = job.result or {}
    return {
        "job": job.id,
        "kind": job.request.kind,
        "project": job.request.project,
        "state": job.state.value,
        "error": job.error.code if job.error else None,
        "release": result.get("release"),
        "downtime_seconds": result.get("downtime_seconds"),
    }


@contextmanager
def _undelivered() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        gone = error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        unsure = error.status == 0
        raise Undelivered(str(error), error.retry_after, gone=gone, unsure=unsure) from error
