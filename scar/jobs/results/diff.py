"""What a deploy would change: its plan, as a result."""

from __future__ import annotations

from scar.jobs.results.deploy import DeployPlan
from scar.jobs.results.job_kind import JobKind
from scar.role import Role

KIND = JobKind("diff", Role.VIEWER, DeployPlan)
