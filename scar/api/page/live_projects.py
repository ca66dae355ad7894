"""Keeps the first screen and those of projects live: each is drawn anew when a job, an alert, a
lock or a mute has changed, and now and then, since nobody tells of a container that has started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from flask import render_template, request
from flask.typing import ResponseReturnValue

from scar.api.auth import visible_project, visible_projects
from scar.api.context import context
from scar.api.events import last_seen
from scar.api.page import gate, project_views, views
from scar.api.page.asking_pace import AskingPace
from scar.api.page.live import (
    BEAT,
    BEAT_SECONDS,
    RepeatedCheck,
    digest,
    gone,
    opened,
    pace,
    piece,
    signed_in,
    wait_for_redis,
    without_keys,
)
from scar.api.page.parts import parts
from scar.errors import ScarError

_DRAW_SECONDS = 60.0
_DRAW_SECONDS_WHILE_IT_STARTS = 5.0
"""After how long a screen is drawn where nothing has changed. How often that asks a host is decided
by `AskingPace`.
"""

_RECEIVED = 1
"""The number of every piece: all that a client tells of it is that it has received one."""

Draw = Callable[[], tuple[Mapping[str, str], bool]]
"""Returns the pieces of a screen by name, and whether it is about to change by itself."""


def projects() -> ResponseReturnValue:
    """The stream of the first screen."""
    visible_projects()
    asking = AskingPace()

    def draw() -> tuple[Mapping[str, str], bool]:
        rows = views.project_rows(asking.reuse_seconds)
        for row in rows:
            asking.note(row.project.name, row.health)
        html = render_template("project_rows.html", rows=rows)
        return {"projects": html}, any(asking.is_quick(row.project.name) for row in rows)

    return opened(_kept_live(draw))


def project(name: str) -> ResponseReturnValue:
    """The stream of a project's screen."""
    visible_project(name)
    csrf, asking = gate.csrf(), AskingPace()

    def draw() -> tuple[Mapping[str, str], bool]:
        screen = project_views.project_screen(name, asking.reuse_seconds(name))
        asking.note(name, screen.health)
        return project_views.draw(screen, csrf), screen.pending or asking.is_quick(name)

    # A client that reconnects shows what it was sent last, not what it was loaded with.
    is_first = not last_seen({"after": request.args.get("after", 0, type=int)})
    return opened(_kept_live(draw, request.args.get("shown", "") if is_first else ""))


def _kept_live(draw: Draw, shown: str = "") -> Iterator[bytes]:
    """Send what differs from the screen. `shown` is the digest of what it was loaded with: nobody's
    button is replaced under the finger for nothing.
    """
    changes, closed = parts().changes, context().events.closed
    check = RepeatedCheck(signed_in)
    on_screen: dict[str, str] = {}
    count = changes.count
    while not closed.is_set():
        try:
            drawn, is_moving = draw()
            if not on_screen and digest(drawn) == shown:
                on_screen = {name: without_keys(html) for name, html in drawn.items()}
            yield _differing(drawn, on_screen) or BEAT
            seconds = _DRAW_SECONDS_WHILE_IT_STARTS if is_moving else _DRAW_SECONDS
            known, until = count, time.monotonic() + seconds
            while count == known and time.monotonic() < until and not closed.is_set():
                count = changes.wait(known, min(seconds, BEAT_SECONDS))
                if not check.holds():
                    yield gone()
                    return
                yield BEAT
            pace()
        except ScarError as error:
            yield wait_for_redis(error)


def _differing(drawn: Mapping[str, str], on_screen: dict[str, str]) -> bytes:
    """Return the pieces that are not on the screen yet, and note that they are."""
    pieces = b""
    for name, html in drawn.items():
        content = without_keys(html)
        if on_screen.get(name) != content:
            pieces += piece(name, html, _RECEIVED)
            on_screen[name] = content
    return pieces
