"""The types of jobs' plans and results, which workers write, and commands and the API read.

There is one file for each kind of job, with its `KIND`; every such file is registered
automatically.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from scar.jobs.results.job_kind import JobKind


@cache
def job_kinds() -> dict[str, JobKind]:
    """Return the `KIND` of every file of this folder, by its name."""
    modules = (import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    kinds: list[JobKind] = [m.KIND for m in modules if hasattr(m, "KIND")]
    return {kind.name: kind for kind in kinds}
