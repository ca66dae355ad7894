"""Every setting of SCAR: the environment and `.env`, read once, every error at once.

No other module reads the environment. Where a variable is in both, the environment wins over
`.env`; a variable that is set to nothing counts as not set, as Compose passes `${NAME:-}` on.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from environs import Env
from marshmallow import ValidationError

from scar import setting_values as values
from scar.errors import ScarError
from scar.role import Role
from scar.setting_values import SECRET_KEY_LENGTH, ApiToken

_LONGEST_SOCKET = 100
_SHARED = Path("/tmp")
_SYSTEM_STATE = Path("/var/lib/scar")


class SettingsError(ScarError):
    """Settings that are missing or wrong, one line each; no line holds a value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            "invalid_settings",
            "\n".join(problems),
            "Set it in the environment or in .env, then start again.",
        )


def _state_dir() -> Path:
    """`/var/lib/scar` where this user can write it, else a folder in his home."""
    nearest = _SYSTEM_STATE if _SYSTEM_STATE.exists() else _SYSTEM_STATE.parent
    if os.access(nearest, os.W_OK | os.X_OK):
        return _SYSTEM_STATE
    return Path.home() / ".local/state/scar"


@dataclass(frozen=True)
class Settings:
    """The settings in force. Durations are seconds; a setting that is not set is None or empty."""

    redis_url: str | None = field(default=None, repr=False)
    projects_file: Path = Path("/workspace/.scar-projects.json")
    secret_key: str | None = field(default=None, repr=False)
    default_project: str | None = None
    host: str = "default"
    api_url: str = "http://127.0.0.1:8080"
    api_bind: str = "127.0.0.1:8080"
    api_tokens: tuple[ApiToken, ...] = ()
    api_token: str | None = field(default=None, repr=False)
    telegram_token: str | None = field(default=None, repr=False)
    telegram_api_url: str = "https://api.telegram.org"
    telegram_users: Mapping[str, Role] = field(default_factory=dict)
    github_webhook_secret: str | None = field(default=None, repr=False)
    github_token: str | None = field(default=None, repr=False)
    github_app_id: str | None = None
    github_app_key: str | None = field(default=None, repr=False)
    github_api_url: str = "https://api.github.com"
    github_users: Mapping[str, Role] = field(default_factory=dict)
    clone_hosts: tuple[str, ...] = ("github.com",)
    confirm_seconds: float = 60.0
    stable_seconds: float = 10.0
    wait_seconds: float = 10.0
    state_dir: Path = field(default_factory=_state_dir)
    docker_host: str | None = None

    @classmethod
    def load(
        cls, env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")
    ) -> Settings:
        """Read `env` (the process's own by default) and the file `dotenv` where there is one.

        Raises `SettingsError` that names every setting that is wrong.
        """
        reader = _Reader(os.environ if env is None else env)
        if dotenv is not None:
            reader.read_file(dotenv)
        found = {
            "redis_url": reader.get("SCAR_REDIS_URL", values.redis_url),
            "projects_file": reader.get("SCAR_PROJECTS_FILE", values.absolute),
            "secret_key": reader.get("SCAR_SECRET_KEY", values.secret_key),
            "default_project": reader.get("SCAR_DEFAULT_PROJECT", values.name),
            "host": reader.get("SCAR_HOST", values.name),
            "api_url": reader.get("SCAR_API_URL", values.root),
            "api_bind": reader.get("SCAR_API_BIND", values.bind),
            "api_tokens": reader.get("SCAR_API_TOKENS", values.tokens),
            "api_token": reader.get("SCAR_API_TOKEN", values.one_word),
            "telegram_token": reader.get("SCAR_TELEGRAM_TOKEN", values.telegram_token),
            "telegram_api_url": reader.get("SCAR_TELEGRAM_API_URL", values.root),
            "telegram_users": reader.get("SCAR_TELEGRAM_USERS", values.telegram_users),
            "github_webhook_secret": reader.get("SCAR_GITHUB_WEBHOOK_SECRET", values.one_word),
            "github_token": reader.get("SCAR_GITHUB_TOKEN", values.one_word),
            "github_app_id": reader.get("SCAR_GITHUB_APP_ID", values.one_word),
            "github_app_key": reader.get("SCAR_GITHUB_APP_KEY", values.private_key),
            "github_api_url": reader.get("SCAR_GITHUB_API_URL", values.root),
            "github_users": reader.get("SCAR_GITHUB_USERS", values.github_users),
            "clone_hosts": reader.get("SCAR_CLONE_HOSTS", values.clone_hosts),
            "confirm_seconds": reader.get("SCAR_CONFIRM_SECONDS", values.positive_seconds),
            "stable_seconds": reader.get("SCAR_STABLE_SECONDS", values.seconds),
            "wait_seconds": reader.get("SCAR_WAIT_SECONDS", values.seconds),
            "state_dir": reader.get("SCAR_STATE_DIR", values.absolute),
            "docker_host": reader.get("DOCKER_HOST", values.docker_host),
        }
        reader.finish()
        return cls(**{name: value for name, value in found.items() if value is not None})

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens: in the state folder, unless its path is too long for a
        socket (108 bytes on Linux); then in a folder of this user's that does not depend on TMPDIR,
        which the parts of SCAR may not share."""
        socket = self.state_dir / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= _LONGEST_SOCKET:
            return socket
        name = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
        return _SHARED / f"scar-{os.getuid()}-{name}" / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        """The Redis to use: the one that is set, else the embedded one."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def github_answers(self) -> bool:
        """Whether there is anything to speak to GitHub as."""
        return self.github_token is not None or self.github_app_key is not None

    @property
    def agent_homes(self) -> Path:
        """Where the users of coding agents have a home who have none: beside the state folder,
        which is closed to them."""
        return self.state_dir.with_name(f"{self.state_dir.name}-agents")

    def required(self, name: str) -> str:
        """The text setting `name` (as the field is called), or a `SettingsError` that names it."""
        value = getattr(self, name)
        if value is None:
            raise SettingsError([f"SCAR_{name.upper()}: is not set"])
        return str(value)

    def signing_key(self) -> str:
        """The key that signs jobs: `SCAR_SECRET_KEY`, or one that this machine keeps for itself.

        With the embedded Redis nobody outside this machine takes part, so that a key made on
        first use and kept in `<state_dir>/secret_key` (mode 0600) is enough. With a Redis of
        one's own the parts have to share the key, so that it has to be set: `SettingsError`.
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
        return _kept_key(self.state_dir / "secret_key")

    def secret_values(self) -> tuple[str, ...]:
        """Every secret among the settings, to be masked wherever text leaves SCAR."""
        password = urlsplit(self.redis_url).password if self.redis_url else None
        redis = {password, unquote(password)} if password else set()
        found = [getattr(self, item.name) for item in fields(self) if item.name in _SECRETS]
        return tuple(
            secret
            for secret in [*found, *redis, *(token.secret for token in self.api_tokens)]
            if secret
        )


_SECRETS = {
    *("secret_key", "api_token", "telegram_token"),
    *("github_webhook_secret", "github_token", "github_app_key"),
}


class _Reader(Env):
    """environs over a given mapping instead of the process's environment."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = values
        self._problems: list[str] = []

    def read_file(self, path: Path) -> None:
        """Take what `path` sets, if there is such a file."""
        try:
            if path.exists() and not path.is_file():
                self._problems.append(f"{path}: cannot be read as a file")
            else:
                self.read_env(path, recurse=False)
        except OSError as error:
            self._problems.append(f"{path}: {error.strerror}")
        except UnicodeDecodeError:
            self._problems.append(f"{path}: is not a UTF-8 text file")

    def get(self, name: str, parse: Callable[[str], Any]) -> Any:
        """The value of `name` as `parse` reads it, None where it is not set or is wrong."""
        value = self.str(name, None)
        if value is None:
            return None
        try:
            return parse(value)
        except ValidationError as error:
            self._problems += [f"{name}: {said}" for said in error.messages]
            return None

    def finish(self) -> None:
        """Raise everything that was wrong."""
        if self._problems:
            raise SettingsError(self._problems)

    def _get_value(self, env_key: str, default: Any) -> Any:
        value = self._given.get(env_key, "").strip() or self._environ.get(env_key, "").strip()
        return value or default


def _kept_key(path: Path) -> str:
    """The key in `path`, made there first if need be; two processes at once get the same one.

    The key is written beside and linked into place, so that whoever finds the file finds all of
    it, and whoever comes second takes the first one's.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(prefix=".secret_key.", dir=path.parent)
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(secrets.token_hex(32))
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(beside, path)
            finally:
                os.unlink(beside)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(
            [f"SCAR_SECRET_KEY: is not set, and {path} cannot be used: {error}"]
        ) from error
    if len(key) < SECRET_KEY_LENGTH:
        raise SettingsError([f"SCAR_SECRET_KEY: is not set, and {path} holds no key; remove it"])
    return key
