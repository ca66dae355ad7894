"""The settings in force, and what follows from their values."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scar.settings.environment import read_values
from scar.settings.error import SettingsError
from scar.settings.fields import SettingFields
from scar.settings.setting import declared_settings
from scar.settings.signing_key import load_or_create_key

_LONGEST_SOCKET = 100
_SHARED = Path("/tmp")


@dataclass(frozen=True)
class Settings(SettingFields):
    """The settings in force; `SettingFields` has one field for each."""

    @classmethod
    def load(
        cls, env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")
    ) -> Settings:
        """Read `env` (by default the process's own) and the file `dotenv` where there is one.

        Raises `SettingsError` that names every setting that is wrong.
        """
        env = os.environ if env is None else env
        return cls(**read_values(declared_settings(cls), env, dotenv))

    @property
    def redis_socket(self) -> Path:
        """The socket of the embedded Redis.

        It is in the state folder, unless its path is then too long for a socket (108 bytes on
        Linux). In that case it is in a folder of this user's below /tmp, not below TMPDIR, which
        the parts of SCAR may not share.
        """
        socket = self.state_dir / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= _LONGEST_SOCKET:
            return socket
        digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
        return _SHARED / f"scar-{os.getuid()}-{digest}" / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        """The Redis to use: the one that is set, else the embedded one."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def has_github_credentials(self) -> bool:
        """Whether SCAR can write to GitHub, with a token or as an App."""
        return self.github_token is not None or self.github_app_key is not None

    @property
    def agent_homes(self) -> Path:
        """The folder of home folders for users of coding agents who have none.

        It is beside the state folder, which those users may not enter.
        """
        return self.state_dir.with_name(f"{self.state_dir.name}-agents")

    def required(self, name: str) -> str:
        """Return the text setting `name`, as its field is called.

        Raises `SettingsError` that names its variable where it is not set.
        """
        value = getattr(self, name)
        if value is None:
            raise SettingsError([f"{declared_settings(type(self))[name].variable}: is not set"])
        return str(value)

    def signing_key(self) -> str:
        """Return the key that signs jobs: `SCAR_SECRET_KEY`, or one that this machine keeps.

        With the embedded Redis no other machine takes part, so a key that is made on first use
        and kept in `<state_dir>/secret_key` is enough. With `SCAR_REDIS_URL` the parts have to
        share the key: `SettingsError` where it is not set.
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
        """Return every secret among the settings, to be masked wherever text leaves SCAR."""
        return tuple(
            text
            for name, declaration in declared_settings(type(self)).items()
            if declaration.secrets is not None and (value := getattr(self, name)) is not None
            for text in declaration.secrets(value)
        )
