"""Brings the workspace's files, images and containers into production."""

from __future__ import annotations

from contextlib import AbstractContextManager

from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.operation import DeploymentOperation
from workers.deployment.plan import Plan
from workers.git.update import Push, resume_update, update_workspace
from workers.runtime.context import JobContext
from workers.state.workspace_lock import workspace_lock


class Deploy(DeploymentOperation):
    """What the workspace holds."""

    kind = "deploy"

    def reading(self, context: JobContext) -> AbstractContextManager[object]:
        """No agent is at work in the workspace while it is read."""
        folder = context.settings.state_dir
        return workspace_lock(folder, context.project.workspace, context.check, shared=True)

    def make(self, context: JobContext) -> Plan:
        """What would be copied, built and restarted."""
        return plan_deploy(context)

    def prepare(self, context: JobContext) -> None:
        """Brings the workspace to the commit that was pushed, where it is that which is asked."""
        push = Push.of(context.request.args)
        if push is None:
            resume_update(context)
            return
        with context.step("updating", "Updating workspace") as step:
            before = update_workspace(context, push)
            step.skipped = before is None
            if before is not None:
                step.detail(f"{push.branch} {before[:7]} → {push.commit[:7]}")


HANDLER = Deploy()
