"""A client of the HTTP API, for the front-ends and the shell."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import ssl
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
from scar.jobs.voucher import issue

_SILENCE = 45.0
_RECONNECT = 0.3


TokenSource = Callable[[str, str, Any], str]
"""Returns the bearer token for a request: method, path and body."""


@functools.cache
def tls(url: str) -> ssl.SSLContext:
    """Return the TLS context of all requests to `url`. Without one, httpx would create one for each
    request and read every trusted authority, which takes 30 ms of CPU. For a `url` without HTTPS,
    the context trusts nobody.
    """
    if url.lower().startswith("https:"):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class ApiUnreachable(ScarError):
    """Raised if the API does not answer."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            "api_unreachable",
            f"The API at {url} cannot be reached ({reason})",
            "Start it with `scar up` or `scar api`, or set SCAR_API_URL.",
        )


class ApiClient:
    """A client of the API at one address; `token` is called before each request."""

    def __init__(self, url: str, token: TokenSource) -> None:
        self.url = url.rstrip("/")
        self._token = token

    @classmethod
    def for_actor(cls, url: str, signatures: Signatures, actor: Actor) -> ApiClient:
        """Return a client that acts for `actor`, one of the people of the signing part."""
        return cls(
            url,
            lambda method, path, body: issue(signatures, actor, method, path, body, time.time()),
        )

    @classmethod
    def for_service(cls, url: str, signatures: Signatures) -> ApiClient:
        """Return a client that reads jobs as the front-end itself."""
        part = signatures.part
        return cls.for_actor(url, signatures, Actor("service", part, f"SCAR's {part}"))

    def request(
        self,
        method: str,
        path: str,
        *,
        extra_headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """Send a request and return its JSON response; raise the API's error as `ScarError`, or
        `ApiUnreachable`.
        """
        try:
            answer = httpx.request(
                method,
                f"{self.url}/api/v1{path}",
                headers={
                    **self._headers(method, path, options.get("json")),
                    **(extra_headers or {}),
                },
                timeout=30.0,
                verify=tls(self.url),
                **options,
            )
        except httpx.TransportError as error:
            raise ApiUnreachable(self.url, type(error).__name__) from error
        if answer.is_error:
            raise problem(answer)
        return answer.json()

    def job(self, id: str) -> Job:
        """Return the job with this id, as the API has it now."""
        return Job.from_json(self.request("GET", f"/jobs/{id}"))

    def events(self, id: str, after: int = 0, *, patience: float = 60.0) -> Iterator[Event]:
        """Yield the job's events that follow the event `after` until the job ends; reconnects as
        often as necessary.

        Raises `ApiUnreachable` once the API has not answered for `patience` seconds.
        """
        last = after
        lost_at: float | None = None
        while True:
            try:
                with httpx.stream(
                    "GET",
                    self._events_url(id),
                    headers=self._stream_headers(id, last),
                    timeout=_SILENCE,
                    verify=tls(self.url),
                ) as answer:
                    if answer.is_error:
                        answer.read()
                        raise problem(answer)
                    for event in _parse_events(answer.iter_lines()):
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
        """Yield events as `events` does, but wait without limit while the API is unreachable.

        Raises the API's error if it refuses the request, such as for an unknown job.
        """
        last = after
        async with httpx.AsyncClient(timeout=_SILENCE, verify=tls(self.url)) as http:
            while True:
                with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                    async for event in self._stream(http, id, last):
                        last = event.id
                        yield event
                        if _ends(event):
                            return
                await asyncio.sleep(_RECONNECT)

    async def _stream(self, http: httpx.AsyncClient, id: str, last: int) -> AsyncIterator[Event]:
        """Yield the events of one connection."""
        headers = self._stream_headers(id, last)
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

    def _headers(self, method: str, path: str, body: Any = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token(method, path.partition('?')[0], body)}"}

    def _stream_headers(self, id: str, last_event: int) -> dict[str, str]:
        headers = self._headers("GET", f"/jobs/{id}/events")
        if last_event:
            headers["Last-Event-ID"] = str(last_event)
        return headers


class EventReader:
    """Parses the lines of an SSE stream (WHATWG HTML, section 9.2)."""

    def __init__(self) -> None:
        self._data = ""

    def feed(self, line: str) -> Event | None:
        """Parse one line; return an event if the line completes one, else None."""
        if line.startswith("data:"):
            self._data += line[5:].strip()
        elif not line and self._data:
            content = json.loads(self._data)
            self._data = ""
            at = milliseconds(content["at"]) or 0
            return Event(content["id"], content["type"], at, content["data"])
        return None


def _parse_events(lines: Iterator[str]) -> Iterator[Event]:
    reader = EventReader()
    for line in lines:
        event = reader.feed(line)
        if event is not None:
            yield event


def _ends(event: Event) -> bool:
    return event.type == "job" and JobState(event.data["state"]).ended


def problem(answer: httpx.Response) -> ScarError:
    """Return the `ScarError` in an `application/problem+json` response."""
    try:
        content = answer.json()
        return ScarError(content["code"], content["detail"], content.get("hint", ""))
    except (ValueError, KeyError, TypeError):
        return ScarError(
            "internal",
            f"The API answered {answer.status_code} without a reason",
            "See the API's log.",
        )
