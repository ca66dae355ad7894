"""Plans and results of jobs: what a worker writes, and commands and the API read.

One file a kind, named after it, with its `KIND`; a new one is found by being there.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from scar.jobs.results.job_kind import JobKind


@cache
def job_kinds() -> dict[str, JobKind]:
    """Return the `KIND` of every file of this folder, by name."""
    modules = (import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    kinds: list[JobKind] = [m.KIND for m in modules if hasattr(m, "KIND")]
    return {kind.name: kind for kind in kinds}
