"""The handler of `diff`, which plans a deploy and returns the plan as its result."""

from __future__ import annotations

from scar.jobs.results.deploy import DeployPlan
from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import describe
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob


class Diff(ReadJob[DeployPlan]):
    """Plans a deploy without executing it."""

    kind = "diff"

    def read(self, context: JobContext) -> DeployPlan:
        """Return the plan of a deploy, in the form that its question would show."""
        return describe(plan_deploy(context), context)


HANDLER = Diff()
