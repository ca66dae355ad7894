"""Finds the handlers of this worker: one file for each kind of job, in `facts` and `operations`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from workers import facts, operations
from workers.runtime.handlers import ReadJob, WriteJob

Handler = ReadJob[Any] | WriteJob[Any, Any, Any]


@cache
def handlers() -> dict[str, Handler]:
    """Return the `HANDLER` of every file in these two folders, by its kind."""
    by_kind: dict[str, Handler] = {}
    for package in (facts, operations):
        for module in pkgutil.iter_modules(package.__path__):
            handler: Handler | None = getattr(
                import_module(f"{package.__name__}.{module.name}"), "HANDLER", None
            )
            if handler is not None:
                by_kind[handler.kind] = handler
    return by_kind
