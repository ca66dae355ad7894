"""The handler of `rollback`, which brings an earlier release's files, environment and images
back into production, without a build.
"""

from __future__ import annotations

from workers.deployment.operation import DeploymentOperation
from workers.deployment.plan import Plan
from workers.deployment.rollback_plan import plan_rollback
from workers.runtime.context import JobContext


class Rollback(DeploymentOperation):
    """Plans a rollback to the release before the last one, or to the one in the argument
    `release`.
    """

    kind = "rollback"

    def compare(self, context: JobContext) -> Plan:
        """Return the plan of the rollback. Changes nothing."""
        return plan_rollback(context)


HANDLER = Rollback()
