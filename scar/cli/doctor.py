"""`scar doctor`: checks everything that has to be in place."""

from __future__ import annotations

import click

from scar.settings import Settings


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Checks what has to be in place, and says how to mend it.

    It writes nothing.
    """
    from scar.cli.checks import findings  # slow: it imports half of SCAR

    settings = Settings.load()
    wrong = 0
    for finding in findings(settings):
        wrong += bool(finding.remedy)
        click.echo(f"{'❌' if finding.remedy else '✅'} {finding.subject}: {finding.detail}")
        if finding.remedy:
            click.echo(f"   💡 {finding.remedy}")
    click.echo(f"\n{wrong} to mend." if wrong else "\nAll is in order.")
    context.exit(1 if wrong else 0)


COMMANDS = (doctor,)
