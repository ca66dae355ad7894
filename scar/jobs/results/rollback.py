"""The plan and the result of a rollback, which have the same types as a deploy's."""

from __future__ import annotations

from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.jobs.results.job_kind import JobKind
from scar.role import Role

KIND = JobKind("rollback", Role.OPERATOR, DeployResult, DeployPlan, asks=True)
