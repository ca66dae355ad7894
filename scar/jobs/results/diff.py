"""The result of `diff`: the plan of a deploy that is not executed."""

from __future__ import annotations

from scar.jobs.results.deploy import DeployPlan
from scar.jobs.results.job_kind import JobKind

KIND = JobKind("diff", DeployPlan)
