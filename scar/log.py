"""The log of a SCAR process: one line for each event, written to stderr, with secrets masked."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from scar.redaction import mask
from scar.settings import Settings

_WARNINGS_ONLY = ("httpx", "httpcore", "telegram", "celery.worker.strategy", "celery.app.trace")


def configure(settings: Settings) -> None:
    """Set up structlog and the standard library's logging for this process.

    Tracebacks never show local variables. Some libraries log only warnings and errors: httpx,
    because it logs each URL it requests and Telegram's URLs contain the bot's token; Celery's
    tracing, because the audit trail already records every job.
    """
    secrets = settings.secret_values()

    def mask_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
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
            mask_event,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    for name in _WARNINGS_ONLY:
        logging.getLogger(name).setLevel(logging.WARNING)
