"""A Celery worker with SCAR's settings and a task that does nothing, to compare with."""

from __future__ import annotations

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from scar.redis_client import connect
from workers.celery import app as scar
from workers.celery import settings

QUEUE = "bare"

# The usual transport, since SCAR's own, which `workers.celery` sets up, drops everything but
# wake-ups.
TRANSPORT_ALIASES.update(
    dict.fromkeys(("redis", "rediss", "redis+socket"), "kombu.transport.redis:Transport")
)

app = Celery("bare", set_as_current=False)
app.conf.update(scar.conf.changes or {})
app.conf.update(task_default_queue=QUEUE, task_queues=None, task_create_missing_queues=True)


@app.task(name="bare.nothing")
def nothing(*_: str) -> None:
    """A Celery task that takes the same message and does nothing."""


@app.task(name="bare.last")
def last(key: str) -> None:
    """A Celery task that signals on Redis that all earlier messages were taken."""
    connect(settings.effective_redis_url).rpush(key, os.getpid())
