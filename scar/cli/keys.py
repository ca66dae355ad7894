"""`scar keys`: the keys that are trusted here; add, make and retire them."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scar.errors import ScarError
from scar.jobs.timestamp import rfc3339
from scar.registration.registry import front_ends
from scar.settings import Settings

if TYPE_CHECKING:
    from scar.keys.key_pair import PublicKey
    from scar.keys.trusted_keys import TrustedKey

_PARTS = "A part is api, worker:HOST, telegram, github, console, or another front-end."


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """The keys of SCAR's parts that are trusted here.

    Each part signs with its own key. A part of another host is made known by its public key, in
    both directions: `scar keys` there shows it, `scar keys add PART KEY` here adds it.
    """
    from scar.keys.key_store import trusted_keys

    if context.invoked_subcommand is None:
        settings = Settings.load()
        trusted = trusted_keys(settings)
        for key in trusted.all():
            click.echo(_line(key))
        if settings.secret_key is not None:
            click.echo("Besides, every part has a key that is derived from SCAR_SECRET_KEY.")
        elif not trusted.all():
            click.echo(f"None yet in {trusted.folder}: each part makes its own at its first start.")


@keys.command()
@click.argument("part")
@click.argument("key", required=False)
def add(part: str, key: str | None) -> None:
    """Trust a part's public KEY; without one, make a new key pair for a part of this host.

    The old key goes on being accepted until it is retired: restart the part, then retire the old.
    """
    from scar.keys.key_store import trusted_keys

    settings = Settings.load()
    _require_part(part, own=None if key is not None else settings.host)
    public = _public_key(part, key) if key is not None else _new_key(settings, part)
    click.echo(_line(trusted_keys(settings).add(public)))


@keys.command()
@click.argument("id")
def retire(id: str) -> None:
    """Accept nothing new from the key ID; a part of this host makes a new one at its next start."""
    from scar.keys.key_store import trusted_keys

    click.echo(_line(trusted_keys(Settings.load()).retire(id)))


@keys.command()
@click.argument("files", nargs=-1, required=True, metavar="PART=FILE...")
def make(files: tuple[str, ...]) -> None:
    """Make a key pair in each FILE that is not there yet, and trust it: for parts in containers."""
    from scar.keys.key_store import load_or_create, trusted_keys
    from scar.keys.trusted_keys import is_part

    trusted = trusted_keys(Settings.load())
    for text in files:
        part, _, file = text.rpartition("=")
        if not is_part(part) or not file:
            raise ScarError("invalid_request", f"'{text[:64]}' is not PART=FILE", _PARTS)
        try:
            public = load_or_create(Path(file), part).public
        except OSError as error:
            raise _unwritable(Path(file), error) from error
        click.echo(_line(trusted.add(public)))


def _require_part(part: str, own: str | None) -> None:
    """Raise `invalid_request` unless `part` is a part of SCAR; with `own`, also unless it is of
    that host.
    """
    from scar.keys.trusted_keys import is_part

    kind, _, host = part.partition(":")
    names = ["api", *(spec.name for spec in front_ends())]
    if not is_part(part) or (kind != "worker" if host else part not in names):
        raise ScarError("invalid_request", f"'{part[:64]}' is no part of SCAR", _PARTS)
    if own is not None and host not in ("", own):
        raise ScarError(
            "invalid_request",
            f"{part} is the worker of another host: its key is made there",
            f"`scar keys` there shows it; `scar keys add {part} KEY` here makes it known.",
        )


def _new_key(settings: Settings, part: str) -> PublicKey:
    from scar.keys.key_store import key_path, replace_key

    for name, value in (
        ("SCAR_KEY_FILE", settings.key_file),
        ("SCAR_SECRET_KEY", settings.secret_key),
    ):
        if value is not None:
            raise ScarError(
                "invalid_request",
                f"With {name} set, {part} would not use a new key",
                f"Change {name} instead, or leave it out.",
            )
    path = key_path(settings, part)
    try:
        return replace_key(path, part).public
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ScarError:
    return ScarError(
        "conflict", f"{path} cannot be written: {error.strerror}", "Make room, or mount a folder."
    )


def _public_key(part: str, text: str) -> PublicKey:
    from scar.keys.key_pair import PublicKey

    try:
        return PublicKey(part, base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ScarError(
            "invalid_request", "This is no public key", "Copy it from `scar keys` on its own host."
        ) from error


def _line(key: TrustedKey) -> str:
    public = key.public
    state = f"retired {rfc3339(key.retired_at)}" if key.retired else "accepted"
    return f"{public.id}  {public.part:<16}  {base64.b64encode(public.raw).decode()}  {state}"


COMMANDS = (keys,)
