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
from scar.settings.error import SettingsError
from scar.settings.fields import SettingFields
from scar.settings.front_end import FrontEndSettings, default_front_ends, front_end_settings
from scar.settings.setting import declared_settings
from scar.settings.signing_key import load_or_create_key

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

    def signing_key(self) -> str:
        """Return the key that signs jobs: `SCAR_SECRET_KEY`, or one generated for this machine.

        With the embedded Redis, all parts of SCAR run on this machine, and the key in
        `<state_dir>/secret_key` is generated on first use. With `SCAR_REDIS_URL`, the parts may run
        on several machines and must share the key: raises `SettingsError` if it is not set.
        """
        if self.secret_key is not None:
            return self.secret_key
        if self.redis_url is not None:
            raise SettingsError(
                [
                    "SCAR_SECRET_KEY: is not set, and with SCAR_REDIS_URL every part needs "
                    "the same key; `openssl rand -hex 32` makes one"
                ]
            )
        return load_or_create_key(self.state_dir / "secret_key")

    def secret_values(self) -> tuple[str, ...]:
        """Return every secret among the settings; they are masked in all text that leaves SCAR."""
        groups = (self, *self.front_ends.values())
        return tuple(secret for group in groups for secret in group.own_secrets())
