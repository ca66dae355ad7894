"""The check of GitHub in `scar doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from scar.frontends.github.client import GitHub, Refused
from scar.projects import ProjectsFile
from scar.registration.spec import Finding
from scar.settings import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """Check that the settings are consistent, and that GitHub accepts the credentials. A token
    without further settings is valid, since `/clone` uses it.
    """
    if settings.github_app_id is not None and settings.github_app_key is None:
        yield Finding("github", "SCAR_GITHUB_APP_ID without its key", "Set SCAR_GITHUB_APP_KEY.")
    if settings.has_github_credentials:
        yield _credentials(settings)
    if settings.github_webhook_secret is None:
        if settings.github_users:
            yield Finding(
                "github",
                "SCAR_GITHUB_USERS is set, and comments are not taken in without a webhook",
                "Make a webhook on GitHub and set SCAR_GITHUB_WEBHOOK_SECRET to its secret.",
            )
        elif not settings.has_github_credentials:
            yield Finding("github", "not set up (SCAR_GITHUB_WEBHOOK_SECRET)")
        return
    if not settings.has_github_credentials:
        yield Finding(
            "github",
            "there is a webhook's secret, and nothing to answer with",
            "Set SCAR_GITHUB_TOKEN, or SCAR_GITHUB_APP_ID and SCAR_GITHUB_APP_KEY.",
        )
    if not settings.github_users and not _named_in_projects(settings):
        yield Finding(
            "github users",
            "nobody may use SCAR on GitHub",
            "Set SCAR_GITHUB_USERS=YOUR_LOGIN:admin.",
        )


def _credentials(settings: Settings) -> Finding:
    """Return what GitHub says about the token or the App. Raises the `ScarError` of invalid
    settings.
    """
    what = "SCAR_GITHUB_TOKEN" if settings.github_token else "SCAR_GITHUB_APP_KEY"
    try:
        asyncio.run(_ask(settings))
    except Refused as refused:
        if refused.status == 401:
            return Finding("github", f"{what}: GitHub does not know it", "Make a new one there.")
        return Finding("github", str(refused), f"Is {settings.github_api_url} reachable?")
    return Finding("github", f"{settings.github_api_url} knows the credentials")


async def _ask(settings: Settings) -> None:
    github = GitHub(settings)
    try:
        await github.require_known()
    finally:
        await github.close()


def _named_in_projects(settings: Settings) -> bool:
    """Return whether a project gives somebody on GitHub a role."""
    projects = ProjectsFile.of(settings).projects.values()
    people = [person for p in projects for named in p.roles.values() for person in named]
    return any(person.startswith("github:") for person in people)
