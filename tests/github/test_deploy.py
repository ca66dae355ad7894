"""A deploy asked for on an issue, all of it real, and what it costs GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.github.test_comments import EDIT_SECONDS, outcome
from tests.support.deploy_scene import DeployScene
from tests.support.github_server import BOT, SECRET, GitHubServer, token_of
from tests.support.waiting import eventually


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    made = GitHubServer()
    yield made
    made.stop()


@pytest.fixture
def scene(tmp_path: Path, server: GitHubServer) -> Iterator[DeployScene]:
    """A shop whose SCAR is one with GitHub."""
    made = DeployScene(tmp_path)
    made.installation._settings |= {
        "SCAR_GITHUB_WEBHOOK_SECRET": SECRET,
        "SCAR_GITHUB_TOKEN": token_of(BOT),
        "SCAR_GITHUB_API_URL": server.url,
        "SCAR_GITHUB_USERS": "octocat:operator",
    }
    server.deliver_to = f"http://127.0.0.1:{made.installation.port}/github/webhook"
    made.begin()
    yield made
    made.remove()


def test_one_deploy_costs_one_comment_and_an_edit_in_three_seconds(
    scene: DeployScene, server: GitHubServer, record_property: Callable[[str, object], None]
) -> None:
    issue = server.issue()
    server.deliveries.clear()
    server.says("octocat", issue, "/docker_deploy shop")
    server.wait_for(issue, "to deploy")
    server.says("octocat", issue, "yes")
    end = server.wait_for(issue, "Deployment complete!", seconds=60)
    assert outcome(end)["state"] == "succeeded"
    assert outcome(end)["release"]
    assert scene.site() == "one"
    writes = server.writes(issue)
    comments = [call for call in writes if call.method == "POST"]
    edits = [call for call in writes if call.method == "PATCH"]
    assert len(comments) == 1
    assert all(call.status < 300 for call in writes)
    for before, after in pairwise(writes):
        assert after.at - before.at >= EDIT_SECONDS - 0.1
    seconds = writes[-1].at - writes[0].at
    assert len(edits) <= seconds / EDIT_SECONDS + 1
    # Of what GitHub told, two comments were ours to read; of its own comment it told as well.
    eventually(lambda: len(server.deliveries) >= 3, "all was delivered")
    assert all(status == 202 and took < 1 for _, _, status, took in server.deliveries)
    numbers = {
        "deliveries": len(server.deliveries),
        "comments": len(comments),
        "edits": len(edits),
        "seconds": round(seconds, 1),
    }
    for name, value in numbers.items():
        record_property(name, value)
    print(f"one deploy: {numbers}")
