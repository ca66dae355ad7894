"""The front-end that sends alerts to mail, chat and push services, with Apprise."""

from __future__ import annotations

from scar.access import UserDirectory
from scar.frontends.outbound.settings import OutboundSettings
from scar.registration.spec import FrontendSpec, Readiness
from scar.settings import Settings


def _serve(settings: Settings) -> None:
    from scar.frontends.outbound.notifier import serve

    serve(settings)


def _users(settings: Settings) -> UserDirectory:  # noqa: ARG001
    """Return no people: these services send nothing to SCAR."""
    return UserDirectory()


def _readiness(settings: Settings) -> Readiness:
    urls = settings.of(OutboundSettings).urls
    services = "service" if len(urls) == 1 else "services"
    return Readiness(f"tells {len(urls)} {services} of alerts") if urls else Readiness()


FRONTEND = FrontendSpec(
    name="outbound",
    summary="Alerts to the services of SCAR_ALERT_URLS.",
    serve=_serve,
    users=_users,
    settings=OutboundSettings,
    readiness=_readiness,
)
