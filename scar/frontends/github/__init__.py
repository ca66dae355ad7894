"""The GitHub front-end: comments are a chat, and pushes can be deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scar.access import UserDirectory
from scar.registration.spec import Finding, FrontendSpec, Readiness
from scar.settings import FrontEndSettings, Settings


@dataclass(frozen=True)
class GitHubSettings(FrontEndSettings):
    """Has no fields: GitHub's settings are in `Settings`, because the API's webhook and the
    workers' `/clone` use them too.
    """

    person_id = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")


def _serve(settings: Settings) -> None:
    from scar.frontends.github.bot import serve

    serve(settings)


def _check(settings: Settings) -> Iterator[Finding]:
    from scar.frontends.github.check import check

    yield from check(settings)


def _users(settings: Settings) -> UserDirectory:
    return UserDirectory(settings.github_users, setting="SCAR_GITHUB_USERS", ignore_case=True)


def _readiness(settings: Settings) -> Readiness:
    if settings.github_webhook_secret is None:
        return Readiness()
    if not settings.has_github_credentials:
        return Readiness(problem="SCAR_GITHUB_TOKEN is not set, nor is SCAR_GITHUB_APP_KEY")
    return Readiness(f"{settings.api_url}/github/webhook, answers at {settings.github_api_url}")


FRONTEND = FrontendSpec(
    name="github",
    summary="What answers comments and deploys pushes on GitHub.",
    serve=_serve,
    users=_users,
    settings=GitHubSettings,
    readiness=_readiness,
    check=_check,
)
