"""The front-end that runs SCAR's chat in a terminal."""

from __future__ import annotations

from scar.access import Role, UserDirectory
from scar.registration.spec import FrontendSpec
from scar.settings import Settings


def _serve(settings: Settings) -> None:
    from scar.frontends.console.chat import serve

    serve(settings)


def _users(settings: Settings) -> UserDirectory:  # noqa: ARG001
    """Give everybody at the console the role of admin, because they can read the key that signs
    jobs anyway.
    """
    return UserDirectory(everyone=Role.ADMIN)


FRONTEND = FrontendSpec(
    name="console",
    command="chat",
    summary="The chat in this terminal. It knows /docker_status, /help, yes, ...",
    serve=_serve,
    users=_users,
)
