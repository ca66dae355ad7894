"""The Telegram front-end."""

from __future__ import annotations

from collections.abc import Iterator

from scar.access import UserDirectory
from scar.frontends.telegram.settings import TelegramSettings
from scar.registration.spec import Finding, FrontendSpec, Readiness
from scar.settings import Settings


def _serve(settings: Settings) -> None:
    from scar.frontends.telegram.bot import serve

    serve(settings)


def _check(settings: Settings) -> Iterator[Finding]:
    from scar.frontends.telegram.check import check
    from scar.projects import ProjectsFile

    projects = ProjectsFile.of(settings).projects.values()
    people = [person for p in projects for named in p.roles.values() for person in named]
    named = any(person.startswith("telegram:") for person in people)
    yield from check(settings.of(TelegramSettings), named_in_projects=named)


def _users(settings: Settings) -> UserDirectory:
    users = settings.of(TelegramSettings).users
    return UserDirectory(users, setting="SCAR_TELEGRAM_USERS")


def _readiness(settings: Settings) -> Readiness:
    own = settings.of(TelegramSettings)
    return Readiness(f"polls {own.api_url}") if own.token is not None else Readiness()


FRONTEND = FrontendSpec(
    name="telegram",
    summary="The Telegram bot.",
    serve=_serve,
    users=_users,
    settings=TelegramSettings,
    readiness=_readiness,
    check=_check,
)
