"""What the question and the diff say of a deploy."""

from __future__ import annotations

from scar.commands.deployment_view import plan_lines
from scar.jobs.results.deploy import DeployPlan
from tests.support.job_documents import PLANNED


def test_links_out_of_the_workspace_and_what_is_left_out_are_named() -> None:
    sockets = [f"run/{number}.sock" for number in range(7)]
    lines = plan_lines(DeployPlan.from_json({**PLANNED, "special": sockets}))
    at = lines.index("🔗 Lead out of the workspace, copied as links (1):")
    assert lines[at + 1] == "- .venv/bin/python3 -> /usr/bin/python3"
    assert (
        "💡 Left out, sockets, pipes or devices: run/0.sock, run/1.sock, run/2.sock, "
        "run/3.sock, run/4.sock, …"
    ) in lines
