"""An earlier release brought back: files, environment and images as they were, without a build."""

from __future__ import annotations

from workers.deployment.operation import DeploymentOperation
from workers.deployment.plan import Plan
from workers.deployment.rollback_plan import plan_rollback
from workers.runtime.context import JobContext


class Rollback(DeploymentOperation):
    """The release before the last one, or the one that `release` names."""

    kind = "rollback"

    def compare(self, context: JobContext) -> Plan:
        """Return the plan of going back."""
        return plan_rollback(context)


HANDLER = Rollback()
