"""Updates the screen of a job with each batch of its events.

Every piece but the output replaces the one before, so a reconnected stream repeats nothing. Lines
of output carry the id of the event that they end with; a client that comes back names the last one
it has, in `Last-Event-ID` or as `after`.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import escape

from scar.api.auth import actor
from scar.api.context import context
from scar.api.events import last_seen
from scar.api.page import gate
from scar.api.page.drawn_states import DrawnState
from scar.api.page.job_views import JobScreen, output_of, project_of, readable_job, screen_of
from scar.api.page.live import (
    BEAT,
    BEAT_SECONDS,
    RepeatedCheck,
    gone,
    opened,
    pace,
    piece,
    signed_in,
    wait_for_redis,
    without_keys,
)
from scar.api.page.parts import parts
from scar.api.page.rendering import shown
from scar.errors import ScarError
from scar.jobs.event import Event
from scar.jobs.record import Job

_END = b"event: end\ndata:\n\n"
_LOOK_SECONDS = 2.0
_PLACE_OF_CSRF = secrets.token_urlsafe(16)
_SHOWS_OUTPUT = "agent"
"""The only kind whose document contains its output, so that it has to be rendered anew for each new
line.
"""

_COUNTED = re.compile(r" \d+/\d+$")


def job(job_id: str) -> ResponseReturnValue:
    """The stream of a job's screen, after an event that the client has."""
    present = readable_job(job_id)
    after = min(last_seen({"after": request.args.get("after", 0, type=int)}), present.last_event)
    if present.state.ended and after >= present.last_event and not screen_of(present).bakes:
        # The status 204 tells an EventSource not to reconnect (WHATWG HTML, section 9.2.3).
        return Response(status=HTTPStatus.NO_CONTENT)
    return opened(_pieces(present, after))


def _pieces(present: Job, after: int) -> Iterator[bytes]:
    check = RepeatedCheck(lambda: signed_in() and _is_readable(present.id))
    screen = LiveJob(replace(present, output=output_of(present)))
    if present.last_event > after:
        yield screen.state()
    yield from _to_its_end(screen, present, after, check)
    yield from _while_it_bakes(screen, check)


def _to_its_end(screen: LiveJob, present: Job, after: int, check: RepeatedCheck) -> Iterator[bytes]:
    events = context().events
    if present.state.ended and after >= present.last_event:
        return
    while not events.closed.is_set():
        try:
            for batch in events.follow_batches(present.id, after, idle=BEAT_SECONDS):
                if not check.holds():
                    screen.is_gone = True
                    yield gone()
                    return
                after = batch[-1].id if batch else after
                yield screen.after(batch) if batch else screen.beat()
                if screen.is_over:
                    return
                pace()
            return
        except ScarError as error:
            yield wait_for_redis(error)


def _while_it_bakes(screen: LiveJob, check: RepeatedCheck) -> Iterator[bytes]:
    """Show what is seen after a deploy, until that has ended."""
    closed = context().events.closed
    while not closed.is_set() and not screen.is_gone:
        try:
            yield screen.state() or BEAT
            if not screen.bakes:
                yield _END
                return
            closed.wait(_LOOK_SECONDS)
            if not check.holds():
                yield gone()
                return
        except ScarError as error:
            yield wait_for_redis(error)


def _is_readable(id: str) -> bool:
    try:
        readable_job(id)
    except ScarError as error:
        if error.code == "redis_unavailable":
            raise
        return False
    return True


class LiveJob:
    """A job's screen as batches of events change it."""

    def __init__(self, job: Job) -> None:
        self.is_over = self.is_gone = self.bakes = False
        self._job = job
        self._csrf = gate.csrf()
        self._state = self._said = ""

    def after(self, batch: Sequence[Event]) -> bytes:
        """Return the pieces that a batch of events changes."""
        lines = [event.data["line"] for event in batch if event.type == "output"]
        for event in batch:
            self._job = self._job.after(event)
        last = batch[-1].id
        only_output = len(lines) == len(batch) and self._job.request.kind != _SHOWS_OUTPUT
        state = b"" if only_output else self.state(last)
        self._look_whether_over(last)
        return self._output(lines, last) + state

    def state(self, id: int | None = None) -> bytes:
        """Return the pieces of the job's present state that the screen does not show yet."""
        drawn = parts().drawn.get(self._drawing(), lambda: _draw(self._job))
        self.bakes, pieces, state = drawn.bakes, b"", without_keys(drawn.html)
        if state != self._state:
            pieces += piece("state", drawn.html.replace(_PLACE_OF_CSRF, self._csrf), id)
        if drawn.said != self._said:
            pieces += piece("said", str(escape(shown(drawn.said))))
        self._state, self._said = state, drawn.said
        return pieces

    def _drawing(self) -> Hashable:
        """Return what the drawing depends on: the events so far, and what the visitor may do. What
        is seen after the job's end may be a second old.
        """
        job, who = self._job, actor()
        role = context().services.access.role_of(who, project_of(job))
        second = int(time.monotonic()) if job.state.ended else 0
        own = job.request.requested_by == who
        return job.id, job.last_event, role, own, second

    def beat(self) -> bytes:
        """Return a sign of life, or the end where the job is no longer there."""
        present = context().services.ledger.get(self._job.id)
        if present is None:
            self.is_over = self.is_gone = True
            return gone()
        self._look_whether_over(present.last_event)
        return BEAT

    def _output(self, lines: Sequence[str], id: int) -> bytes:
        html = "".join(f"<span>{escape(shown(line))}\n</span>" for line in lines)
        return piece("output", html, id) if html else b""

    def _look_whether_over(self, last: int) -> None:
        self.is_over = self._job.state.ended and self._job.last_event <= last


def _draw(job: Job) -> DrawnState:
    screen = screen_of(job)
    html = render_template("job_state.html", csrf=_PLACE_OF_CSRF, screen=screen)
    return DrawnState(html, _spoken(screen), screen.bakes)


def _spoken(screen: JobScreen) -> str:
    """Return the text for screen readers: the job's newest step, its question, or its end."""
    job = screen.job
    if screen.answers:
        return f"{job.about} asks for your yes"
    lines = [line for line in screen.document.text.splitlines() if line.strip()]
    if job.state.ended or not lines:
        return f"{job.about}: {job.state.value.replace('_', ' ')}"
    return _COUNTED.sub("", lines[-1])
