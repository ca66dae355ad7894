"""`scar lock`, `unlock`, `audit`, `projects`, `reload`: commands that are answered at once."""

from __future__ import annotations

import json

import click

from scar.cli.api_client import complete_project, connect
from scar.cli.jobs import examples
from scar.cli.shell_words import shell_word, shell_words
from scar.commands import all_commands
from scar.commands.local_command import LocalCommand
from scar.settings import Settings

_WORDS = ("docker_lock", "docker_unlock", "audit", "projects", "reload")
_VERIFY = ("audit", ("verify",))
_AS_JSON = {"audit": "/audit", "projects": "/projects"}


def _answered(command: LocalCommand) -> click.Command:
    def run(words: tuple[str, ...], as_json: bool = False) -> None:
        settings = Settings.load()
        if (command.word, words) == _VERIFY:
            from scar.cli.trail import verify_trail

            verify_trail(settings)
            click.echo("The audit trail is whole.")
            return
        client = connect(settings)
        if as_json:
            items = client.request("GET", _AS_JSON[command.word])["items"]
            click.echo(json.dumps(items, indent=2, ensure_ascii=False))
            return
        body = {"words": list(words)}
        click.echo(
            shell_words(client.request("POST", f"/commands/{command.word}", json=body)["text"])
        )

    name = shell_word(command)
    options: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1, metavar=command.usage, shell_complete=complete_project)
    ]
    if command.word in _AS_JSON:
        options.append(click.Option(["--json", "as_json"], is_flag=True, help="Print as JSON."))
    return click.Command(
        name,
        callback=run,
        params=options,
        help=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        epilog=examples(name, command.examples),
    )


COMMANDS = tuple(
    _answered(command)
    for command in all_commands()
    if isinstance(command, LocalCommand) and command.word in _WORDS
)
