"""`/jobs/{id}/events`: a job's history as it is written, as a stream or as a list."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from fcntl import ioctl
from socket import IPPROTO_TCP, MSG_DONTWAIT, SHUT_RDWR, TCP_USER_TIMEOUT, socket
from struct import unpack
from termios import TIOCOUTQ
from typing import Any

import structlog
from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable

from scar.api.auth import visible_job
from scar.api.context import ApiContext, context
from scar.api.resource import Resource, answer
from scar.api.schemas import EventsPage, EventsQuery
from scar.errors import ScarError
from scar.jobs.event import Event
from scar.jobs.record import Job
from scar.jobs.stream import ends

STREAM = "text/event-stream"
STREAMED = {
    "type": "object",
    "description": "Each event of the stream",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["job", "step", "progress", "output", "result"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_QUIET = 5.0
_STALLED_MS = 30_000
_ROOM = 4096
_log = structlog.get_logger(__name__)

resource = Resource("events", __name__, description="The history of a job, as it is written")


class JobStream:
    """The body of a stream: the job's events, and a comment where nothing happens.

    A Redis that goes away is waited for: the stream goes on where it was. `gone` is called when
    the body is closed, be it that the job has ended or that nobody listens any more.
    """

    def __init__(
        self, shared: ApiContext, id: str, after: int, gone: Callable[[], None] | None = None
    ) -> None:
        if not shared.slots.acquire(blocking=False):
            raise ServiceUnavailable("Too many event streams are open")
        self._shared = shared
        self._gone = gone
        self._open = True
        self._last = after
        self._socket = _chunked_socket()
        self._room = 0
        self._lines = self._follow(id)

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def close(self) -> None:
        """Ends the stream; the server calls this once it is done with it."""
        if self._open:
            self._open = False
            self._lines.close()
            self._shared.slots.release()
            if self._gone:
                self._gone()

    def _follow(self, id: str) -> Generator[bytes, None, None]:
        events = self._shared.events
        send = self._send if self._socket else None
        # The first bytes are sent at once, so that the client has its headers.
        yield b"retry: 1000\n\n"
        while not events.closed.is_set():
            try:
                for event in events.follow(id, self._last, idle=_QUIET, send=send):
                    if event is not None:
                        self._last = event.id
                        yield event.sse
                    elif self._nothing_follows(id):
                        return
                    else:
                        yield b": still here\n\n"
                return
            except ScarError as error:
                _log.warning("stream waits for Redis", job=id, reason=error.message)
                yield b": waiting for Redis\n\n"
                events.closed.wait(1.0)

    def _send(self, event: Event) -> bool:
        """Writes an event to the socket as gunicorn would, from the thread that read it.

        Called while the thread of this stream waits. Only what fits into the socket's buffer for
        certain is sent; where it yet did not, the client is cut off and resumes where it was.
        """
        assert self._socket is not None
        frame = event.chunk
        try:
            if self._room < len(frame):  # as far as is known without asking the kernel
                self._room = _ROOM - _unsent(self._socket)
            if self._room < len(frame):
                return False
            self._room -= len(frame)
            if self._socket.send(frame, MSG_DONTWAIT) < len(frame):
                self._socket.shutdown(SHUT_RDWR)
        except OSError:
            return False  # the stream's own thread will find out
        self._last = event.id
        return True

    def _nothing_follows(self, id: str) -> bool:
        job = self._shared.services.ledger.get(id)
        return job is None or (job.state.ended and job.last_event <= self._last)


def _chunked_socket() -> socket | None:
    """The socket of this request, where gunicorn writes chunks to it and nothing encrypts them."""
    found = request.environ.get("gunicorn.socket")
    chunked = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
    return found if type(found) is socket and chunked else None


def _unsent(connection: socket) -> int:
    """How many bytes the kernel holds that the other side has not acknowledged."""
    (count,) = unpack("i", ioctl(connection.fileno(), TIOCOUTQ, bytes(4)))
    return int(count)


def stream(job: Job, after: int = 0, gone: Callable[[], None] | None = None) -> Response:
    """The job's events after the one numbered `after`, as Server-Sent Events."""
    body = JobStream(context(), job.id, after, gone)
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        # A client that reads no more holds no thread for ever.
        connection.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, _STALLED_MS)
    return _streamed(body)


def _streamed(body: JobStream | bytes) -> Response:
    # Passed through as it is: each layer between an event and its socket costs every watcher.
    found = Response(body, content_type=f"{STREAM}; charset=utf-8", direct_passthrough=True)
    found.headers["Cache-Control"] = "no-store"
    found.headers["X-Accel-Buffering"] = "no"
    return found


@resource.route(
    "/jobs/<job_id>/events",
    parameters=[{"in": "path", "name": "job_id", "schema": {"type": "string"}}],
)
@resource.arguments(EventsQuery, location="query")
@resource.response(200, EventsPage, description="A list, or a stream that ends with the job")
@resource.response(200, STREAMED, content_type=STREAM)
@resource.alt_response(204, description="The job has ended, and nothing follows that event")
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
@resource.doc(
    parameters=[
        {
            "in": "header",
            "name": "Last-Event-ID",
            "description": "Resumes a stream after that event",
            "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
        }
    ]
)
def events(query: dict[str, Any], job_id: str) -> Response:
    """The events of a job

    Server-Sent Events, unless the client asks for `application/json`, or for `after` or `wait`
    without `text/event-stream`. As a list, `next` is the `after` of the next page, null once the
    job has ended; `wait` waits so many seconds for the first event.
    """
    job = visible_job(job_id)
    if _as_list(query):
        return _page(job, query)
    # A number beyond the last event (Redis lost its last second) must not make anyone wait.
    after = min(_last_seen(query), job.last_event)
    if job.state.ended and after >= job.last_event:
        # By 204 an EventSource knows not to come back (WHATWG HTML, section 9.2.3).
        return Response(status=204)
    if request.method == "HEAD":
        return _streamed(b"")
    return stream(job, after)


def _as_list(query: dict[str, Any]) -> bool:
    accepted = request.accept_mimetypes
    if STREAM in accepted.values():
        return accepted.quality("application/json") > accepted.quality(STREAM)
    return "application/json" in accepted.values() or "after" in query or "wait" in query


def _last_seen(query: dict[str, Any]) -> int:
    text = request.headers.get("Last-Event-ID")
    if not text:
        return int(query.get("after", 0))
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ScarError(
            "invalid_request",
            "Last-Event-ID is not the id of an event",
            "Send the id of the last event that you have, or none at all.",
        )
    return int(text)


def _page(job: Job, query: dict[str, Any]) -> Response:
    shared = context()
    after, limit = query.get("after", 0), query["limit"]
    found = shared.services.ledger.events(job.id, after, count=limit)
    if not found and not job.state.ended and query.get("wait"):
        for event in shared.events.follow(job.id, after, seconds=query["wait"]):
            if event is not None:
                found = shared.services.ledger.events(job.id, after, count=limit)
                break
    done = ends(found[-1]) if found else job.state.ended
    following = None if done else (found[-1].id if found else after)
    return answer({"items": [event.to_json() for event in found], "next": following})
