"""The Kombu transport with which a worker reads its queue; it passes only valid wake-ups to Celery.

Celery 5.7 crashes on a message that is not JSON, has another content type, or a time limit that is
no number, and gets the same message again after a restart. Whoever can write to Redis must not be
able to stop workers that way. This transport therefore extracts the two texts of a wake-up from a
message, and passes on a new message with them. Anything else is dropped and logged.
"""

from __future__ import annotations

import base64
import json
from queue import Empty
from typing import Any
from uuid import uuid4

import structlog
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

from scar.jobs.queue import TASK

_LONGEST = 4096
_log = structlog.get_logger(__name__)


class WakeupChannel(kombu_redis.Channel):
    """A channel that drops messages that are not JSON."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (ValueError, RecursionError):
            _log.warning("message dropped: it is not JSON, or nested too deep")
            raise Empty from None


class WakeupTransport(kombu_redis.Transport):
    """A Redis transport that delivers only wake-ups."""

    Channel = WakeupChannel

    def _deliver(self, message: Any, queue: str | None) -> None:
        wakeup = _wakeup_in(message)
        if wakeup is None:
            _log.warning("message dropped: it is no wake-up", queue=queue)
            return
        super()._deliver(_message(wakeup, queue or ""), queue)


def use_in_this_process() -> None:
    """Make every connection of this process to a Redis broker use this transport."""
    name = f"{__name__}:{WakeupTransport.__name__}"
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss", "redis+socket"), name))


def _wakeup_in(message: Any) -> list[str] | None:
    """Return the arguments of a wake-up: a job's id and the signature."""
    try:
        body = message["body"]
        if message["headers"]["task"] != TASK or len(body) > _LONGEST:
            return None
        arguments = json.loads(base64.b64decode(body, validate=True))[0]
    except (LookupError, TypeError, ValueError, RecursionError):
        return None
    if not isinstance(arguments, list) or len(arguments) != 2:
        return None
    return arguments if all(isinstance(argument, str) for argument in arguments) else None


def _message(wakeup: list[str], queue: str) -> dict[str, Any]:
    """Return a message of Celery's protocol (version 2) for a wake-up."""
    id = str(uuid4())
    return {
        "body": base64.b64encode(json.dumps([wakeup, {}, {}]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            **{"lang": "py", "task": TASK, "id": id, "root_id": id, "parent_id": None},
            **{"group": None, "retries": 0, "eta": None, "expires": None},
            **{"timelimit": [None, None], "argsrepr": "", "kwargsrepr": "", "origin": ""},
        },
        "properties": {
            "correlation_id": id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_tag": str(uuid4()),
            "body_encoding": "base64",
            "priority": 0,
        },
    }
