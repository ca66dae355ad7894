"""Checks of the settings, the keys and the state folder on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scar.cli.checks.check import Check
from scar.errors import nearest
from scar.keys.key_store import trusted_keys, worker_part
from scar.projects import ProjectsFile
from scar.registration.spec import Finding
from scar.settings import Settings
from scar.settings.environment import names_with_prefix

_PREFIX = "SCAR_"
OF_COMPOSE = ("SCAR_API_PORT", "SCAR_PRODUCTION", "SCAR_USER", "SCAR_WORKSPACE")
"""Variables that docker-compose.yml alone reads."""


def _check_settings(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    yield Finding("settings", "read")
    known = [*Settings.variables(), *OF_COMPOSE]
    for name in names_with_prefix(_PREFIX):
        if name not in known:
            yield Finding(
                f"setting {name}",
                "no part of SCAR reads it",
                f"{nearest(name, known)} README.md lists the settings.".strip(),
            )


def _check_key(settings: Settings) -> Iterator[Finding]:
    """Check the trusted keys without creating any."""
    trusted = trusted_keys(settings)
    accepted = [key.public for key in trusted.all() if not key.retired]
    if settings.secret_key is not None:
        yield Finding(
            "keys",
            "derived from SCAR_SECRET_KEY: whoever has it can sign as any part; without it, each "
            "part makes a key of its own",
        )
    elif not accepted:
        yield Finding("keys", f"the first `scar up` makes them in {trusted.folder}")
    else:
        yield Finding("keys", f"trusted are {', '.join(sorted({key.part for key in accepted}))}")
        yield from _check_workers(settings, {key.part for key in accepted})


def _check_workers(settings: Settings, parts: set[str]) -> Iterator[Finding]:
    """Check that the worker of every host in the projects file has a trusted key."""
    projects = ProjectsFile.of(settings).projects.values()
    hosts = {settings.host, *(project.host for project in projects)}
    for part in sorted(set(map(worker_part, hosts)) - parts):
        own = part == worker_part(settings.host)
        begin = "`scar up` makes it. Of a worker elsewhere," if own else "Add it:"
        yield Finding(
            "keys",
            f"that of {part} is not known here: what it says would be refused",
            f"{begin} `scar keys` on its host shows it, `scar keys add {part} KEY` here adds it.",
        )


def _check_state_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.state_dir
    there = _nearest_existing(folder)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        made = "" if there == folder else "; it is made at the first start"
        yield Finding("state folder", f"{folder} can be written{made}")
    else:
        yield Finding(
            "state folder",
            f"{there} cannot be written by this user" if there.is_dir() else f"{there}: no folder",
            "Give this user the folder, or set SCAR_STATE_DIR to one that can be written.",
        )


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


CHECKS = (
    Check("settings", _check_settings),
    Check("state folder", _check_state_dir),
    Check("key", _check_key, needs=("state folder",)),
)
