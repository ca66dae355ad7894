"""The base type of plans, and the description of a kind of job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from scar.jobs.results.json_record import JsonRecord
from scar.role import Role


@dataclass(frozen=True)
class JobPlan(JsonRecord):
    """Base of the plans that a write job shows for confirmation."""

    hash: Annotated[str, "Stands for all that matters: a confirmation is bound to it"] = field(
        kw_only=True
    )
    changed: Annotated[bool, "It replaces a plan that was confirmed: the world has changed"] = (
        field(default=False, kw_only=True)
    )
    since_shown: Annotated[
        tuple[str, ...], "What changed after the plan before was shown, one sentence each"
    ] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class JobKind:
    """A kind's name, and the role that it requires of front-ends and workers alike. `plan` is None
    for a kind that only reads; a kind that `asks` needs a confirmation. A `long` kind occupies a
    process of a host for many minutes, so that only a few of its jobs run at once
    (`scar.jobs.slots`).
    """

    name: str
    role: Role
    result: type[JsonRecord]
    plan: type[JobPlan] | None = None
    long: bool = False
    asks: bool = False

    @property
    def changes(self) -> bool:
        """Whether a job of the kind changes anything."""
        return self.plan is not None
