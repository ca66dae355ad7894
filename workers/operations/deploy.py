"""Brings the workspace's files, images and containers into production."""

from __future__ import annotations

from contextlib import AbstractContextManager

from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import Plan
from workers.deployment.rollout import Rollout
from workers.work import Task
from workers.workspace_lock import workspace_lock


class Deploy(Rollout):
    """What the workspace holds."""

    kind = "deploy"

    def reading(self, task: Task) -> AbstractContextManager[object]:
        """No agent is at work in the workspace while it is read."""
        folder = task.settings.state_dir
        return workspace_lock(folder, task.project.workspace, task.check, shared=True)

    def make(self, task: Task) -> Plan:
        """What would be copied, built and restarted."""
        return plan_deploy(task)


WORK = Deploy()
