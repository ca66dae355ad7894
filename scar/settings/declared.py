"""The base class of dataclasses whose fields are settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scar.settings.error import SettingsError
from scar.settings.setting import declared_settings


@dataclass(frozen=True)
class DeclaredSettings:
    """Base of a dataclass whose fields are declared with `setting`."""

    def required(self, name: str) -> str:
        """Return the text setting with the field name `name`.

        Raises `SettingsError`, which names the environment variable, if it is not set.
        """
        value = getattr(self, name)
        if value is None:
            raise SettingsError([f"{declared_settings(type(self))[name].variable}: is not set"])
        return str(value)

    def own_secrets(self) -> Iterator[str]:
        """Yield every secret among this object's values."""
        for name, declaration in declared_settings(type(self)).items():
            if declaration.secrets is not None and (value := getattr(self, name)) is not None:
                yield from declaration.secrets(value)
