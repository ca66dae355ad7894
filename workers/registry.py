"""The kinds of job that this worker can do: one file each, in `facts` and `operations`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from workers import facts, operations
from workers.runtime.context import ReadJob, WriteJob


@cache
def handlers() -> dict[str, ReadJob | WriteJob]:
    """Every `HANDLER` of the two folders, by its kind."""
    found: dict[str, ReadJob | WriteJob] = {}
    for package in (facts, operations):
        for module in pkgutil.iter_modules(package.__path__):
            work = getattr(import_module(f"{package.__name__}.{module.name}"), "HANDLER", None)
            if work is not None:
                found[work.kind] = work
    return found
