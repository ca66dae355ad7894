"""The whole of it on an issue: an instruction, the old version, a deploy, the log that shows it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.github_server import BOT, SECRET, GitHubServer, token_of
from tests.support.installation import Installation
from tests.support.sample import Sample
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an agent is started by root alone")


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    made = GitHubServer()
    yield made
    made.stop()


@pytest.fixture
def installation(server: GitHubServer) -> Iterator[Installation]:
    # Not pytest's own folder: an agent works as somebody else, who has to get there.
    with tempfile.TemporaryDirectory(prefix="scar-bug-") as folder:
        sample = Sample(Path(folder))
        made = Installation(
            Path(folder) / "scar",
            SCAR_STABLE_SECONDS="1",
            SCAR_GITHUB_WEBHOOK_SECRET=SECRET,
            SCAR_GITHUB_TOKEN=token_of(BOT),
            SCAR_GITHUB_API_URL=server.url,
            SCAR_GITHUB_USERS="octocat:admin",
        )
        made.folder.mkdir()
        made.projects_file.write_text(json.dumps({"shop": sample.entry()}))
        server.deliver_to = f"http://127.0.0.1:{made.port}/github/webhook"
        made.up()
        yield made
        made.down()
        sample.remove()


@pytest.mark.usefixtures("installation")
def test_a_bug_is_fixed_and_deployed_from_the_comments_of_an_issue(server: GitHubServer) -> None:
    issue = server.issue()

    def ask(text: str, expected: str) -> str:
        server.says("octocat", issue, text)
        return str(server.wait_for(issue, expected, seconds=60)["body"])

    ask("/docker_deploy", "to deploy")
    ask("yes", "Deployment complete!")
    ask("/docker_logs 20", "Task failed: Connection timeout")
    fixed = ask("@scar fix the timeout bug in shop", "✅ Done in workspace: 1 file changed")
    assert "+TIMEOUT=30" in fixed
    assert "`/docker_deploy shop`" in fixed
    assert "`/agent_discard shop`" in fixed
    old = ask("/docker_status", "⚠️ Container: Running (OLD VERSION)")
    assert "💡 Workspace has uncommitted changes" in old
    question = ask("/docker_deploy shop", "Files: 0 added, 1 changed, 0 removed")
    assert "serve.sh" in question
    assert "Type `yes` to deploy" in question
    server.says("octocat", issue, "yes")
    eventually(lambda: said(server, issue, "Deployment complete!") == 2, "it is deployed", 60)
    ask("/docker_logs 20", "Task done, within its 30 seconds")


def said(server: GitHubServer, issue: int, text: str) -> int:
    """How many of SCAR's comments say it now."""
    return sum(text in comment["body"] for comment in server.comments(issue))
