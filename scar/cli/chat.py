"""`scar chat`: the chat in this terminal."""

from __future__ import annotations

import click

from scar.frontends.console.chat import chat as chat_in_terminal
from scar.log import configure
from scar.settings import Settings


@click.command()
def chat() -> None:
    """The chat in this terminal: /help, /docker_status, /docker_deploy, yes, ..."""
    settings = Settings.load()
    configure(settings)
    chat_in_terminal(settings)


COMMANDS = (chat,)
