"""As a GitHub App: a token for the repository, kept while it is good, renewed in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from scar.frontends.github.client import GitHub, Refused
from scar.settings import Settings, SettingsError
from tests.support.github_server import APP_ID, REPOSITORY, Fault, GitHubServer

MADE = "/access_tokens"


@pytest.fixture(scope="module")
def server() -> Iterator[GitHubServer]:
    made = GitHubServer()
    yield made
    made.stop()


def settings(server: GitHubServer) -> Settings:
    return Settings.load(
        {
            "SCAR_GITHUB_APP_ID": str(APP_ID),
            "SCAR_GITHUB_APP_KEY": server.app_key.replace("\n", "\\n"),
            "SCAR_GITHUB_API_URL": server.url,
        },
        dotenv=None,
    )


def tokens_made(server: GitHubServer) -> int:
    return len([call for call in server.calls if call.path.endswith(MADE)])


def test_an_apps_token_is_created_reused_and_renewed(server: GitHubServer) -> None:
    shift = 0.0

    async def test() -> None:
        nonlocal shift
        github = GitHub(settings(server), clock=lambda: time.time() + shift)
        issue = str(server.issue())
        before = tokens_made(server)
        first = await github.comment(REPOSITORY, issue, "one")
        await github.edit(REPOSITORY, first.id, "two")
        assert tokens_made(server) == before + 1
        github._tokens[REPOSITORY] = github._tokens[REPOSITORY][0], time.time() + 301
        await github.edit(REPOSITORY, first.id, "three")
        assert tokens_made(server) == before + 1
        shift = 2.0  # less than five minutes are left
        await github.edit(REPOSITORY, first.id, "four")
        assert tokens_made(server) == before + 2
        comments = server.comments(int(issue), "scar[bot]")
        assert [comment["body"] for comment in comments] == ["four"]
        await github.close()

    asyncio.run(test())


def test_a_revoked_token_is_replaced(server: GitHubServer) -> None:
    async def test() -> None:
        github = GitHub(settings(server))
        issue = str(server.issue())
        first = await github.comment(REPOSITORY, issue, "one")
        before = tokens_made(server)
        server.faults.append(Fault("PATCH", rf"/comments/{first.id}$", 401))
        with pytest.raises(Refused) as caught:
            await github.edit(REPOSITORY, first.id, "two")
        assert caught.value.retry_after is not None
        await github.edit(REPOSITORY, first.id, "two")
        assert tokens_made(server) == before + 1
        await github.close()

    asyncio.run(test())


def test_a_repository_in_which_the_github_app_is_not_installed_is_not_retried(
    server: GitHubServer,
) -> None:
    async def test() -> None:
        github = GitHub(settings(server))
        with pytest.raises(Refused) as caught:
            await github.comment("octocat/elsewhere", "1", "one")
        assert caught.value.retry_after is None
        assert "PRIVATE KEY" not in str(caught.value)
        await github.close()

    asyncio.run(test())


def test_an_invalid_github_app_key_is_reported_as_a_settings_error() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nnonsense\n-----END RSA PRIVATE KEY-----"
    with pytest.raises(SettingsError) as caught:
        GitHub(Settings(github_app_id="1", github_app_key=key))
    assert "SCAR_GITHUB_APP_KEY" in caught.value.message
    assert "nonsense" not in caught.value.message
    with pytest.raises(SettingsError):
        GitHub(Settings())
    with pytest.raises(SettingsError) as caught:
        GitHub(Settings(github_app_key=key))
    assert "SCAR_GITHUB_APP_ID" in caught.value.message
