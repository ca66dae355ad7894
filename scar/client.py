"""The HTTP API, as the front-ends and the shell use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import httpx

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.event import Event
from scar.jobs.record import Job, JobState
from scar.jobs.signing import Signatures
from scar.jobs.timestamp import milliseconds

_SERVICE_SECONDS = 300
_SILENCE = 45.0
_RECONNECT = 0.3


def service_token(signatures: Signatures, actor: Actor, now: float) -> str:
    """A bearer token for `actor`, for whoever holds the secret key; good for five minutes."""
    content = {"actor": actor.to_json(), "expires": now + _SERVICE_SECONDS}
    return "service:" + signatures.seal("service", content)


def service_actor(signatures: Signatures, token: str, now: float) -> Actor | None:
    """Whom a service token speaks for; None where it is not one, or too old."""
    if not token.startswith("service:"):
        return None
    content = signatures.unseal("service", token.removeprefix("service:"))
    if content is None or content["expires"] < now:
        return None
    return Actor.from_json(content["actor"])


class ApiUnreachable(ScarError):
    """Nothing answers at the API's address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            "api_unreachable",
            f"The API at {url} cannot be reached ({reason})",
            "Start it with `scar up` or `scar api`, or set SCAR_API_URL.",
        )


class ApiClient:
    """One API address and one way to get a token; `token` is called for each request."""

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self.url = url.rstrip("/")
        self._token = token

    def request(
        self,
        method: str,
        path: str,
        *,
        extra_headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """The JSON answer of a request; raises the API's own error, or `ApiUnreachable`."""
        try:
            answer = httpx.request(
                method,
                f"{self.url}/api/v1{path}",
                headers={**self._headers(), **(extra_headers or {})},
                timeout=30.0,
                **options,
            )
        except httpx.TransportError as error:
            raise ApiUnreachable(self.url, type(error).__name__) from error
        if answer.is_error:
            raise problem(answer)
        return answer.json()

    def job(self, id: str) -> Job:
        """The job as it stands."""
        return Job.from_json(self.request("GET", f"/jobs/{id}"))

    def events(self, id: str, after: int = 0, *, patience: float = 60.0) -> Iterator[Event]:
        """The events that follow `after` until the job has ended, over as many connections as
        that takes; gives up when the API is away for `patience` seconds."""
        last = after
        lost_at: float | None = None
        while True:
            try:
                with httpx.stream(
                    "GET", self._events_url(id), headers=self._headers(last), timeout=_SILENCE
                ) as answer:
                    if answer.is_error:
                        answer.read()
                        raise problem(answer)
                    for event in _parsed(answer.iter_lines()):
                        lost_at = None
                        last = event.id
                        yield event
                        if _ends(event):
                            return
            except httpx.TransportError as error:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > patience:
                    raise ApiUnreachable(self.url, type(error).__name__) from error
                time.sleep(_RECONNECT)

    async def follow(self, id: str, after: int = 0) -> AsyncIterator[Event]:
        """Like `events`, for as long as it takes: an API that is away is waited for.

        What the API refuses (an unknown job, no right to see it) is raised.
        """
        last = after
        async with httpx.AsyncClient(timeout=_SILENCE) as http:
            while True:
                with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                    async for event in self._stream(http, id, last):
                        last = event.id
                        yield event
                        if _ends(event):
                            return
                await asyncio.sleep(_RECONNECT)

    async def _stream(self, http: httpx.AsyncClient, id: str, last: int) -> AsyncIterator[Event]:
        """The events of one connection."""
        headers = self._headers(last)
        async with http.stream("GET", self._events_url(id), headers=headers) as answer:
            if answer.is_client_error:
                await answer.aread()
                raise problem(answer)
            answer.raise_for_status()
            reader = EventReader()
            async for line in answer.aiter_lines():
                event = reader.feed(line)
                if event is not None:
                    yield event

    def _events_url(self, id: str) -> str:
        return f"{self.url}/api/v1/jobs/{id}/events"

    def _headers(self, last_event: int = 0) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._token()}"}
        if last_event:
            headers["Last-Event-ID"] = str(last_event)
        return headers


class EventReader:
    """Puts the lines of an event stream together (WHATWG HTML, section 9.2)."""

    def __init__(self) -> None:
        self._data = ""

    def feed(self, line: str) -> Event | None:
        """The event that `line` completes, if it does."""
        if line.startswith("data:"):
            self._data += line[5:].strip()
        elif not line and self._data:
            found = json.loads(self._data)
            self._data = ""
            at = milliseconds(found["at"]) or 0
            return Event(found["id"], found["type"], at, found["data"])
        return None


def _parsed(lines: Iterator[str]) -> Iterator[Event]:
    reader = EventReader()
    for line in lines:
        event = reader.feed(line)
        if event is not None:
            yield event


def _ends(event: Event) -> bool:
    return event.type == "job" and JobState(event.data["state"]).ended


def problem(answer: httpx.Response) -> ScarError:
    """The error that an `application/problem+json` answer tells of."""
    try:
        found = answer.json()
        return ScarError(found["code"], found["detail"], found.get("hint", ""))
    except (ValueError, KeyError, TypeError):
        return ScarError(
            "internal",
            f"The API answered {answer.status_code} without a reason",
            "See the API's log.",
        )
