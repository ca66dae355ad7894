"""What a deploy would change."""

from __future__ import annotations

from scar.jobs.results.deploy import DeployPlan
from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import describe
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob


class Diff(ReadJob[DeployPlan]):
    """The plan of a deploy, without the deploy."""

    kind = "diff"

    def answer(self, context: JobContext) -> DeployPlan:
        """Return what the question of a deploy shows."""
        return describe(plan_deploy(context), context)


HANDLER = Diff()
