"""`scar page`: prints a link that signs the user of this shell in to the page."""

from __future__ import annotations

import getpass

import click

from scar.access import Actor
from scar.errors import ScarError
from scar.settings import Settings

_PART = "console"


@click.command()
def page() -> None:
    """A link to the page, signed in as you."""
    settings = Settings.load()
    address = settings.page_url or settings.api_url
    from scar.bootstrap import bootstrap  # it imports redis, which would slow down `--help`

    user = getpass.getuser()
    services = bootstrap(settings, _PART)
    try:
        link = services.command_context.page_link(Actor(_PART, user, user))
    except ScarError as error:
        raise ScarError(
            error.code,
            f"No link could be made here: {error.message}",
            f"{address}/sign-in takes an API token, too.",
        ) from error
    click.echo(link)
    click.echo("It signs you in once, within a minute, and for 12 hours.")


COMMANDS = (page,)
