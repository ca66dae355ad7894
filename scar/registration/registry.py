"""Finds every front-end: those in `scar/frontends/`, and those of other installed packages."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from scar.access import Access
from scar.errors import ScarError
from scar.registration.spec import FrontendSpec
from scar.settings import Settings

_PACKAGE = "scar.frontends"
_ENTRY_POINTS = "scar.frontends"


@cache
def front_ends() -> tuple[FrontendSpec, ...]:
    """Return the registration of every front-end.

    A package in `scar/frontends/` defines it as `FRONTEND`; another installed package declares it
    as an entry point of the group `scar.frontends`. Raises `conflict` if two have the same name or
    command.
    """
    folder = import_module(_PACKAGE).__path__
    specs: list[FrontendSpec] = [
        import_module(f"{_PACKAGE}.{module.name}").FRONTEND
        for module in pkgutil.iter_modules(folder)
        if module.ispkg
    ]
    specs += [entry_point.load() for entry_point in entry_points(group=_ENTRY_POINTS)]
    for names in ([spec.name for spec in specs], [spec.shell_command for spec in specs]):
        if len(names) > len(set(names)):
            raise ScarError(
                "conflict",
                f"Two front-ends have one name: {', '.join(sorted(names))}",
                "Uninstall the package of one of them.",
            )
    return tuple(specs)


def create_access(settings: Settings) -> Access:
    """Return the roles of the people of every front-end and of the API's clients."""
    directories = {spec.name: spec.users(settings) for spec in front_ends()}
    return Access(directories, settings.api_tokens)
