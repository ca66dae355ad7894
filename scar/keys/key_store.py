"""Finds the keys of this installation: a part's own, and the trusted ones."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from scar.atomic_file import create_file, replace_file
from scar.errors import ScarError
from scar.keys.key_pair import KeyPair
from scar.keys.trusted_keys import TrustedKeys
from scar.settings import Settings, SettingsError

WORKER = "worker"
API = "api"


def worker_part(host: str) -> str:
    """Return the name of the part that is a host's worker."""
    return f"{WORKER}:{host}"


def trusted_keys(settings: Settings) -> TrustedKeys:
    """Return the keys that are trusted here."""
    return TrustedKeys(settings.trusted_folder, settings.secret_key)


def key_pair(settings: Settings, part: str) -> KeyPair:
    """Return a part's own key pair.

    It is the one in `SCAR_KEY_FILE`; else the one that is derived from `SCAR_SECRET_KEY`; else one
    of its own in `SCAR_STATE_DIR/keys`, which is made, and trusted, at its first use and after it
    was retired. Raises `SettingsError` where the file cannot be used.
    """
    if settings.key_file is not None:
        return _read(settings.key_file, part, "SCAR_KEY_FILE")
    if settings.secret_key is not None:
        return KeyPair.derive(part, settings.secret_key)
    path = key_path(settings, part)
    trusted = trusted_keys(settings)
    try:
        own = load_or_create(path, part)
        known = trusted.get(part, own.public.id)
        if known is not None and known.retired:
            own = replace_key(path, part)
    except OSError as error:
        raise SettingsError([f"SCAR_STATE_DIR: {path} cannot be made: {error.strerror}"]) from error
    try:
        trusted.add(own.public)
    except ScarError as error:
        import structlog  # with rich: 60 ms of CPU, which the shell would pay for each command

        log = structlog.get_logger(__name__)
        log.warning("this part's key is not trusted yet", part=part, reason=error.message)
    return own


def key_path(settings: Settings, part: str) -> Path:
    """Return the file of a part's own key."""
    return settings.state_dir / "keys" / f"{part.replace(':', '@')}.pem"


def load_or_create(path: Path, part: str) -> KeyPair:
    """Return the key in the file `path`, which is made on first use with mode 0600.

    Processes that call this at once get the same key. Raises `OSError`, and `SettingsError` where
    the file holds no key.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was faster
            create_file(path, KeyPair.generate(part).to_pem(), mode=0o600)
    return _read(path, part, "SCAR_STATE_DIR")


def replace_key(path: Path, part: str) -> KeyPair:
    """Replace the key in `path` by a new one; if that fails, the old one stays. Raises
    `OSError`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, KeyPair.generate(part).to_pem(), mode=0o600)
    return _read(path, part, "SCAR_STATE_DIR")


def _read(path: Path, part: str, setting: str) -> KeyPair:
    try:
        return KeyPair.from_pem(part, path.read_bytes())
    except OSError as error:
        raise SettingsError([f"{setting}: {path} cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise SettingsError(
            [f"{setting}: {path} holds no Ed25519 key (PEM); remove it to have a new one made"]
        ) from error
