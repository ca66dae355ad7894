"""The kinds of job that this worker can do: one file each, in `facts` and `operations`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from workers import facts, operations
from workers.work import Fact, Operation


@cache
def handlers() -> dict[str, Fact | Operation]:
    """Every `WORK` of the two folders, by its kind."""
    found: dict[str, Fact | Operation] = {}
    for package in (facts, operations):
        for module in pkgutil.iter_modules(package.__path__):
            work = getattr(import_module(f"{package.__name__}.{module.name}"), "WORK", None)
            if work is not None:
                found[work.kind] = work
    return found
