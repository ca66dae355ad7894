"""The settings that only one front-end has, and how they are found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import ClassVar

from scar.settings.declared import DeclaredSettings

_REGISTRY = "scar.registration.registry"


@dataclass(frozen=True)
class FrontEndSettings(DeclaredSettings):
    """Base of the settings of one front-end: a field for each, declared with `setting`.

    `person_id` and `chat_id` are the forms of its ids in the projects file (`roles`, `alerts`);
    None where the projects file cannot name its people or chats.
    """

    person_id: ClassVar[re.Pattern[str] | None] = None
    chat_id: ClassVar[re.Pattern[str] | None] = None


@cache
def front_end_settings() -> Mapping[str, type[FrontEndSettings]]:
    """Return the class of each front-end's settings, by the front-end's name.

    Front-ends are above this package, so their registry is imported by name, when it is needed.
    """
    specs = import_module(_REGISTRY).front_ends()
    return {spec.name: spec.settings for spec in specs}


def default_front_ends() -> Mapping[str, FrontEndSettings]:
    """Return the settings of each front-end where nothing is set."""
    return {name: kind() for name, kind in front_end_settings().items()}
