"""A rollback is planned and done as a deploy is, of an earlier release."""

from __future__ import annotations

from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.jobs.results.job_kind import JobKind
from scar.role import Role

KIND = JobKind("rollback", Role.OPERATOR, DeployResult, DeployPlan)
