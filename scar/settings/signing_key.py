"""The signing key that SCAR generates and stores on this machine."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from scar.settings.error import SettingsError
from scar.settings.parsers import SECRET_KEY_LENGTH


def load_or_create_key(path: Path) -> str:
    """Return the key in the file `path`, which is created on first use with mode 0600.

    Processes that call this at the same time get the same key. Raises `SettingsError` if the file
    cannot be read or written, or contains no key.
    """
    try:
        if not path.exists():
            _create(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(
            [f"SCAR_SECRET_KEY: is not set, and {path} cannot be used: {error}"]
        ) from error
    if len(key) < SECRET_KEY_LENGTH:
        raise SettingsError([f"SCAR_SECRET_KEY: is not set, and {path} holds no key; remove it"])
    return key


def _create(path: Path) -> None:
    """Write a new key to `path` atomically; if another process has created the file, keep that one.

    The key is written and synced to a temporary file in the same folder, then linked to `path`:
    link(2) fails if the name exists.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".secret_key.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
