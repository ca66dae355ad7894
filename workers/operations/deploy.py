"""The handler of `deploy`, which brings the workspace's files, images and containers into
production.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.operation import DeploymentOperation
from workers.deployment.plan import Plan
from workers.git.update import PushedCommit, resume_update, update_workspace
from workers.runtime.context import JobContext
from workers.state.workspace_lock import workspace_lock


class Deploy(DeploymentOperation):
    """Plans a deploy of the workspace; `DeploymentOperation` executes it."""

    kind = "deploy"

    def prepare(self, context: JobContext, /) -> None:
        """Fast-forward the workspace to the pushed commit, if the deploy is for a push."""
        push = PushedCommit.of(context.request.args)
        if push is None:
            resume_update(context)
            return
        with context.steps.step("updating", "Updating workspace") as step:
            before = update_workspace(context, push)
            step.skipped = before is None
            if before is not None:
                step.detail(f"{push.branch} {before[:7]} → {push.commit[:7]}")

    def reading(self, context: JobContext, /) -> AbstractContextManager[object]:
        """Hold the workspace's shared lock, so that no coding agent changes the files that are
        read.
        """
        folder = context.settings.state_dir
        return workspace_lock(folder, context.project.workspace, context.check, shared=True)

    def compare(self, context: JobContext) -> Plan:
        """Return the plan of deploying the workspace. Changes nothing."""
        return plan_deploy(context)


HANDLER = Deploy()
