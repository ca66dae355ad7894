"""The loaded settings, and values derived from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from scar.settings.declared import DeclaredSettings
from scar.settings.environment import read_values
from scar.settings.fields import SettingFields
from scar.settings.front_end import FrontEndSettings, default_front_ends, front_end_settings
from scar.settings.setting import declared_settings
from scar.settings.state_folder import keep_private

F = TypeVar("F", bound=FrontEndSettings)
_OWN = ""
_LONGEST_SOCKET = 100
_SHARED = Path("/tmp")


@dataclass(frozen=True)
class Settings(SettingFields):
    """The loaded settings: `SettingFields` has those that several parts of SCAR use,
    `front_ends` the settings of each front-end by its name.
    """

    front_ends: Mapping[str, FrontEndSettings] = field(default_factory=default_front_ends)

    @classmethod
    def load(
        cls, env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")
    ) -> Settings:
        """Load the settings from `env` (by default this process's environment) and, if it exists,
        the file `dotenv`.

        Raises `SettingsError` with every invalid setting.
        """
        env = os.environ if env is None else env
        groups: dict[str, type[DeclaredSettings]] = {_OWN: cls, **front_end_settings()}
        declared = {
            (group, name): setting
            for group, kind in groups.items()
            for name, setting in declared_settings(kind).items()
        }
        values: dict[str, dict[str, Any]] = {group: {} for group in groups}
        for (group, name), value in read_values(declared, env, dotenv).items():
            values[group][name] = value
        front_ends = {name: kind(**values[name]) for name, kind in front_end_settings().items()}
        return cls(**values[_OWN], front_ends=front_ends)

    @classmethod
    def variables(cls) -> list[str]:
        """Return the name of every variable that is read."""
        groups: list[type[DeclaredSettings]] = [cls, *front_end_settings().values()]
        return [s.variable for group in groups for s in declared_settings(group).values()]

    def of(self, kind: type[F]) -> F:
        """Return the settings of the front-end whose settings class is `kind`."""
        for values in self.front_ends.values():
            if isinstance(values, kind):
                return values
        raise LookupError(f"no front-end is registered with {kind.__name__}")

    @property
    def redis_socket(self) -> Path:
        """The path of the embedded Redis' socket.

        It is in the state folder, unless its path would then exceed the limit for sockets (108
        bytes on Linux). In that case it is in a folder of this user below /tmp; not below TMPDIR,
        which may differ between the parts of SCAR.
        """
        socket = self.state_dir / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= _LONGEST_SOCKET:
            return socket
        digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
        return _SHARED / f"scar-{os.getuid()}-{digest}" / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        """The URL of the Redis to use: the configured one, else the embedded one's."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def has_github_credentials(self) -> bool:
        """Whether SCAR has credentials to write to GitHub: a token, or those of a GitHub App."""
        return self.github_token is not None or self.github_app_key is not None

    @property
    def agent_homes(self) -> Path:
        """The folder that holds home folders for coding agents whose user has none.

        It is outside the state folder, which those users may not enter.
        """
        return self.state_dir.with_name(f"{self.state_dir.name}-agents")

    @property
    def trusted_folder(self) -> Path:
        """The folder of the public keys of all parts."""
        return self.trusted_keys or self.state_dir / "keys" / "trusted"

    def keep_private(self) -> None:
        """Make new files of this process private to its user, and the state folder likewise.

        Every part but the worker calls this; with `SCAR_REDIS_URL` these parts have no state
        folder. Raises `SettingsError` where the folder cannot be made private.
        """
        keep_private(self.state_dir if self.redis_url is None else None)

    def secret_values(self) -> tuple[str, ...]:
        """Return every secret among the settings; they are masked in all text that leaves SCAR."""
        groups = (self, *self.front_ends.values())
        return tuple(secret for group in groups for secret in group.own_secrets())
