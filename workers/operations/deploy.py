"""Brings the workspace's files, images and containers into production."""

from __future__ import annotations

from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import Plan
from workers.deployment.rollout import Rollout
from workers.work import Task


class Deploy(Rollout):
    """What the workspace holds."""

    kind = "deploy"

    def make(self, task: Task) -> Plan:
        """What would be copied, built and restarted."""
        return plan_deploy(task)


WORK = Deploy()
