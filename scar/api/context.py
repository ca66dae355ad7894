"""What the views of the API work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import cast

from flask import current_app

from scar.bootstrap import Services
from scar.jobs.inbox import Inbox
from scar.jobs.stream import EventStream

MOST_STREAMS = 128
"""Open event streams at once. Each takes a thread of the server, which has more than these, so
that watchers never keep a request waiting."""


@dataclass(frozen=True)
class ApiContext:
    """The parts of SCAR behind the API, and what all requests of a process share."""

    services: Services
    events: EventStream
    inbox: Inbox
    slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MOST_STREAMS))


def context() -> ApiContext:
    """The context of the application that handles this request."""
    return cast(ApiContext, current_app.extensions["scar"])
