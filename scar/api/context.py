"""The objects that every view function of the API uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app

from scar.api.event_lag import EventLag
from scar.api.limits import RequestLimits
from scar.api.waits import OpenWaits
from scar.bootstrap import Services
from scar.jobs.inbox import Inbox
from scar.jobs.stream import EventStream

Deadline = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class ApiContext:
    """The services behind the API, and the state that all requests of this process share.

    `body_deadline` is a context manager that limits how long reading a request's body may take.
    """

    services: Services
    events: EventStream
    inbox: Inbox
    body_deadline: Deadline = nullcontext
    limits: RequestLimits = field(default_factory=RequestLimits)
    open_streams: set[Iterator[bytes]] = field(default_factory=set)
    waits: OpenWaits = field(default_factory=OpenWaits)
    event_lag: EventLag = field(default_factory=EventLag)


def context() -> ApiContext:
    """Return the context of the application that handles the current request."""
    return cast(ApiContext, current_app.extensions["scar"])
