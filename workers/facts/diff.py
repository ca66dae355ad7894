"""What a deploy would change."""

from __future__ import annotations

from typing import Any

from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import shown
from workers.runtime.context import JobContext, ReadJob


class Diff(ReadJob):
    """The plan of a deploy, without the deploy."""

    kind = "diff"

    def read(self, context: JobContext) -> dict[str, Any]:
        """The same as what the question of a deploy shows."""
        return shown(plan_deploy(context), context)


HANDLER = Diff()
