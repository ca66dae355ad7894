"""What the views of the API work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app

from scar.api.waits import OpenWaits
from scar.bootstrap import Services
from scar.jobs.inbox import Inbox
from scar.jobs.stream import EventStream

Deadline = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class ApiContext:
    """The parts of SCAR behind the API, and what all requests of a process share.

    A request's body is read within `body_deadline`.
    """

    services: Services
    events: EventStream
    inbox: Inbox
    body_deadline: Deadline = nullcontext
    open_streams: set[Iterator[bytes]] = field(default_factory=set)
    waits: OpenWaits = field(default_factory=OpenWaits)


def context() -> ApiContext:
    """Return the context of the application that handles this request."""
    return cast(ApiContext, current_app.extensions["scar"])
