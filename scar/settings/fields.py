"""The declaration of every setting that does not belong to one front-end alone.

A new setting is one more field here. Reading its variable, reporting its errors and masking its
secrets then need no further code; README.md and .env.example have to name it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scar.role import Role
from scar.settings import parsers, secret
from scar.settings.declared import DeclaredSettings
from scar.settings.parsers import ApiToken
from scar.settings.quiet_hours import QuietHours
from scar.settings.setting import setting

_SYSTEM_STATE = Path("/var/lib/scar")


def _find_state_dir() -> Path:
    """Return `/var/lib/scar` if this user can write to it, else a folder in the user's home."""
    nearest = _SYSTEM_STATE if _SYSTEM_STATE.exists() else _SYSTEM_STATE.parent
    if os.access(nearest, os.W_OK | os.X_OK):
        return _SYSTEM_STATE
    return Path.home() / ".local/state/scar"


@dataclass(frozen=True)
class SettingFields(DeclaredSettings):
    """One field for each setting. Durations are in seconds; a setting without a value is None or
    empty.
    """

    redis_url: str | None = setting(
        "SCAR_REDIS_URL",
        parsers.redis_url,
        "the Redis that all parts share; without it, `scar up` brings its own",
        secrets=secret.password_in_url,
    )
    projects_file: Path = setting(
        "SCAR_PROJECTS_FILE",
        parsers.absolute_path,
        "the projects file; its folder is the workspace folder",
        default="/workspace/.scar-projects.json",
    )
    secret_key: str | None = setting(
        "SCAR_SECRET_KEY",
        parsers.secret_key,
        "the older way to sign: every part derives its key from this one secret of at least 16 "
        "characters, and whoever has it can sign as any part; better leave it out",
        secrets=secret.whole_value,
    )
    key_file: Path | None = setting(
        "SCAR_KEY_FILE",
        parsers.absolute_path,
        "this part's own private key (Ed25519, PEM); otherwise made in `SCAR_STATE_DIR/keys`",
    )
    trusted_keys: Path | None = setting(
        "SCAR_TRUSTED_KEYS",
        parsers.absolute_path,
        "the folder of the public keys of all parts; otherwise `SCAR_STATE_DIR/keys/trusted`",
    )
    default_project: str | None = setting(
        "SCAR_DEFAULT_PROJECT",
        parsers.name,
        "the project that is meant where none is named; otherwise the first of the projects file",
    )
    host: str = setting(
        "SCAR_HOST",
        parsers.name,
        "the host whose jobs this worker does; for the other parts, the host that does what "
        "belongs to no project (`/clone`)",
        default="default",
    )
    api_url: str = setting(
        "SCAR_API_URL",
        parsers.server_url,
        "where the shell and the front-ends reach the API",
        default="http://127.0.0.1:8080",
    )
    api_bind: str = setting(
        "SCAR_API_BIND", parsers.host_port, "where the API listens", default="127.0.0.1:8080"
    )
    page_url: str | None = setting(
        "SCAR_PAGE_URL",
        parsers.server_url,
        "where people reach the page, such as `https://scar.example.org`; otherwise `SCAR_API_URL`",
    )
    telegram_bot_id: str | None = setting(
        "SCAR_TELEGRAM_BOT_ID",
        parsers.bot_id,
        "the bot that opens the page as a Mini App: the number before the `:` of its token; "
        "for the API and workers",
    )
    telegram_public_key: str = setting(
        "SCAR_TELEGRAM_PUBLIC_KEY",
        parsers.public_key,
        "the key with which Telegram signs for Mini Apps; its test environment has another",
        default="e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d",
    )
    api_tokens: tuple[ApiToken, ...] = setting(
        "SCAR_API_TOKENS",
        parsers.api_tokens,
        "who may use the API: `NAME:ROLE:SECRET,...`",
        default="",
        secrets=secret.token_secrets,
    )
    api_token: str | None = setting(
        "SCAR_API_TOKEN",
        parsers.one_word,
        "the shell's own secret, one of those in `SCAR_API_TOKENS`",
        secrets=secret.whole_value,
    )
    github_webhook_secret: str | None = setting(
        "SCAR_GITHUB_WEBHOOK_SECRET",
        parsers.one_word,
        "the secret of the webhook on GitHub",
        secrets=secret.whole_value,
    )
    github_token: str | None = setting(
        "SCAR_GITHUB_TOKEN",
        parsers.one_word,
        "a token that may write comments and commit statuses, and read what `/clone` clones",
        secrets=secret.whole_value,
    )
    github_app_id: str | None = setting(
        "SCAR_GITHUB_APP_ID", parsers.one_word, "the id of a GitHub App, instead of a token"
    )
    github_app_key: str | None = setting(
        "SCAR_GITHUB_APP_KEY",
        parsers.private_key,
        "the App's private key with `\\n` for its line ends, or the file that holds it",
        secrets=secret.whole_value,
    )
    github_api_url: str = setting(
        "SCAR_GITHUB_API_URL",
        parsers.server_url,
        "GitHub's REST API; for GitHub Enterprise `https://HOST/api/v3`",
        default="https://api.github.com",
    )
    github_users: Mapping[str, Role] = setting(
        "SCAR_GITHUB_USERS",
        parsers.github_users,
        "who may do what on GitHub: `LOGIN:ROLE,...`",
        default="",
    )
    clone_hosts: tuple[str, ...] = setting(
        "SCAR_CLONE_HOSTS",
        parsers.clone_hosts,
        "the hosts that `/clone` clones from: `HOST,HOST:PORT,...`",
        default="github.com",
    )
    confirm_seconds: float = setting(
        "SCAR_CONFIRM_SECONDS",
        parsers.positive_seconds,
        "seconds that a question waits for its `yes`",
        default="60",
    )
    stable_seconds: float = setting(
        "SCAR_STABLE_SECONDS",
        parsers.seconds,
        "seconds that a deployed container has to stay well",
        default="10",
    )
    wait_seconds: float = setting(
        "SCAR_WAIT_SECONDS",
        parsers.seconds,
        "seconds that a request such as `GET /projects/NAME/status` waits for its job",
        default="10",
    )
    bake_minutes: float = setting(
        "SCAR_BAKE_MINUTES",
        parsers.minutes,
        "minutes for which a deploy is looked after, whether something gets worse; 0 for never",
        default="10",
    )
    alert_look_seconds: float = setting(
        "SCAR_ALERT_LOOK_SECONDS",
        parsers.positive_seconds,
        "seconds after which a container that went wrong is looked at once more, before anybody is "
        "told",
        default="5",
    )
    quiet_hours: QuietHours | None = setting(
        "SCAR_QUIET_HOURS",
        parsers.quiet_hours,
        "hours in which only critical alerts make a sound: `22:00-07:00`, by this host's clock",
    )
    state_dir: Path = setting(
        "SCAR_STATE_DIR",
        parsers.absolute_path,
        "releases, journals and the embedded Redis; `~/.local/state/scar` where the user may not "
        "write to `/var/lib/scar`",
        default=str(_SYSTEM_STATE),
        find_default=_find_state_dir,
    )
    docker_host: str | None = setting(
        "DOCKER_HOST",
        parsers.docker_host,
        "where the Docker Engine listens; otherwise Docker's own socket",
    )
