"""Python's cyclic garbage collector, which is in the way of whoever makes many small objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Lets a loop make tens of thousands of tuples without each thousand being searched for
    cycles: a third of the time of reading an index."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
