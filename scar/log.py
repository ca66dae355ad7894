"""What a process of SCAR writes about itself: one line an event, on stderr, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from scar.redaction import mask
from scar.settings import Settings


def configure(settings: Settings) -> None:
    """Sets up structlog and logging for this process.

    Tracebacks never show local variables, and httpx, which logs the addresses it asks (a bot's
    token is part of its address), is only heard when something is wrong; so is Celery about each
    message, since the trail says who asked for what and how it ended.
    """
    secrets = settings.secret_values()

    def masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if isinstance(value, str):
                event[name] = mask(value, secrets)
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            masked,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    for name in ("httpx", "httpcore", "telegram", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
