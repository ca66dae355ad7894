"""`/jobs/{id}/events`: a job's history as it is written, as a stream or as a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator

import structlog
from flask import Response, request

from scar.api.auth import actor, visible_job
from scar.api.context import ApiContext, context
from scar.api.resource import Resource, answer
from scar.api.schemas.events import EventsPage, EventsQuery
from scar.errors import ScarError
from scar.jobs.event import Event
from scar.jobs.record import Job
from scar.jobs.stream import ends
from scar.json_object import JsonObject

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
_QUIET_SECONDS = 5.0
_REDIS_RETRY_SECONDS = 1.0
_json = json.JSONEncoder(separators=(",", ":")).encode
_log = structlog.get_logger(__name__)

resource = Resource("events", __name__, description="The history of a job, as it is written")


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
@resource.alt_response(429, response="TOO_MANY_REQUESTS")
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
def events(query: JsonObject, job_id: str) -> Response:
    """The events of a job

    Server-Sent Events, unless the client asks for `application/json`, or for `after` or `wait`
    without `text/event-stream`. As a list, `next` is the `after` of the next page, null once the
    job has ended; `wait` waits so many seconds for the first event.
    """
    job = visible_job(job_id)
    if _wants_list(query):
        return _page(job, query)
    # After Redis has lost its last second, the client may know events that no longer exist.
    after = min(last_seen(query), job.last_event)
    if job.state.ended and after >= job.last_event:
        # The status 204 tells an EventSource not to reconnect (WHATWG HTML, section 9.2.3).
        return Response(status=204)
    if request.method == "HEAD":
        return _streamed(b"")
    return stream(job, after)


def stream(job: Job, after: int = 0, on_close: Callable[[], None] | None = None) -> Response:
    """Return the job's events that follow the event `after` as an open stream of Server-Sent
    Events.

    `on_close` is called once the stream is closed, by the job's end or by the client. Raises 429 or
    503 if too many requests wait.
    """
    return hold_open(_lines(context(), job.id, after), on_close)


def hold_open(lines: Iterator[bytes], on_close: Callable[[], None] | None = None) -> Response:
    """Return a stream of Server-Sent Events that counts as one of the actor's waiting requests
    while it is open.

    Raises 429 or 503 if there are too many.
    """
    streams, waits, who = context().open_streams, context().waits, actor()
    waits.begin(who)
    streams.add(lines)

    def close() -> None:
        if lines in streams:
            streams.remove(lines)
            waits.end(who)
            if on_close is not None:
                on_close()

    response = _streamed(lines)
    response.call_on_close(close)
    return response


def _streamed(body: bytes | Iterator[bytes]) -> Response:
    response = Response(body, content_type=f"{STREAM}; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _lines(shared: ApiContext, job_id: str, last: int) -> Generator[bytes, None, None]:
    """Yield the job's events that follow the event `last`, and SSE comments while there are none.
    Events that were written together are sent together.

    While Redis cannot be read, the stream stays open; afterwards it continues without a gap.
    """
    sent = shared.event_lag.of_stream()
    yield b"retry: 1000\n\n"  # sent at once, so that the client receives the response headers
    while not shared.events.closed.is_set():
        try:
            for batch in shared.events.follow_batches(job_id, last, idle=_QUIET_SECONDS):
                if batch:
                    last = batch[-1].id
                    for event in batch:
                        sent(event)
                    yield b"".join(map(_server_sent, batch))
                elif _nothing_follows(shared, job_id, last):
                    return
                else:
                    yield b": still here\n\n"
            return
        except ScarError as error:
            _log.warning("stream waits for Redis", job=job_id, reason=error.message)
            yield b": waiting for Redis\n\n"
            shared.events.closed.wait(_REDIS_RETRY_SECONDS)


def _server_sent(event: Event) -> bytes:
    """Encode an event as a Server-Sent Event (WHATWG HTML, section 9.2)."""
    return f"id: {event.id}\nevent: {event.type}\ndata: {_json(event.to_json())}\n\n".encode()


def _nothing_follows(shared: ApiContext, job_id: str, last: int) -> bool:
    job = shared.services.ledger.get(job_id)
    return job is None or (job.state.ended and job.last_event <= last)


def _wants_list(query: JsonObject) -> bool:
    accepted = request.accept_mimetypes
    if STREAM in accepted.values():
        return accepted.quality("application/json") > accepted.quality(STREAM)
    return "application/json" in accepted.values() or "after" in query or "wait" in query


def last_seen(query: JsonObject) -> int:
    """Return the id of the last event that the client has: the header counts before `after`."""
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


def _first_page(shared: ApiContext, job_id: str, query: JsonObject) -> list[Event]:
    """Wait for an event, at most as long as the query says."""
    after = query.get("after", 0)
    for event in shared.events.follow(job_id, after, seconds=query["wait"]):
        if event is not None:
            return shared.services.ledger.events(job_id, after, count=query["limit"])
    return []


def _page(job: Job, query: JsonObject) -> Response:
    shared = context()
    after, limit = query.get("after", 0), query["limit"]
    page = shared.services.ledger.events(job.id, after, count=limit)
    if not page and not job.state.ended and query.get("wait"):
        with shared.waits.during(actor()):
            page = _first_page(shared, job.id, query)
    has_ended = ends(page[-1]) if page else job.state.ended
    following = None if has_ended else (page[-1].id if page else after)
    return answer({"items": [event.to_json() for event in page], "next": following})
