"""The settings that belong to one front-end, and the lookup of each front-end's settings class."""

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
    """Base of the settings of one front-end; each field is declared with `setting`.

    `person_id` and `chat_id` are the patterns of the front-end's ids in the projects file (`roles`,
    `alerts`); None if the projects file cannot name its people or chats.
    """

    person_id: ClassVar[re.Pattern[str] | None] = None
    chat_id: ClassVar[re.Pattern[str] | None] = None


@cache
def front_end_settings() -> Mapping[str, type[FrontEndSettings]]:
    """Return the settings class of each front-end, by the front-end's name.

    The registry of front-ends belongs to a higher layer, so it is imported by name when this is
    called.
    """
    specs = import_module(_REGISTRY).front_ends()
    return {spec.name: spec.settings for spec in specs}


def default_front_ends() -> Mapping[str, FrontEndSettings]:
    """Return each front-end's settings with nothing set."""
    return {name: kind() for name, kind in front_end_settings().items()}
