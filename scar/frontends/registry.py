"""Every front-end: those of this folder, and those that other installed packages have."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from scar import frontends
from scar.errors import ScarError
from scar.frontends.spec import FrontendSpec

ENTRY_POINTS = "scar.frontends"
"""The group of entry points; the name is the front-end's, the object its `FrontendSpec`."""


@cache
def front_ends() -> tuple[FrontendSpec, ...]:
    """Return the registration of every front-end.

    A package of this folder has it as `FRONTEND`. Another installed package names it in its
    metadata, as an entry point of the group `scar.frontends`. Raises `conflict` where two have one
    name or command.
    """
    packages = [module.name for module in pkgutil.iter_modules(frontends.__path__) if module.ispkg]
    specs: list[FrontendSpec] = [
        import_module(f"{frontends.__name__}.{name}").FRONTEND for name in packages
    ]
    specs += [entry_point.load() for entry_point in entry_points(group=ENTRY_POINTS)]
    for names in ([spec.name for spec in specs], [spec.shell_command for spec in specs]):
        if len(names) > len(set(names)):
            raise ScarError(
                "conflict",
                f"Two front-ends have one name: {', '.join(sorted(names))}",
                "Uninstall the package of one of them.",
            )
    return tuple(specs)
