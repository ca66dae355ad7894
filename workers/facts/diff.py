"""What a deploy would change."""

from __future__ import annotations

from typing import Any

from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import shown
from workers.work import Fact, Task


class Diff(Fact):
    """The plan of a deploy, without the deploy."""

    kind = "diff"

    def read(self, task: Task) -> dict[str, Any]:
        """The same as what the question of a deploy shows."""
        return shown(plan_deploy(task), task)


WORK = Diff()
