"""Reads the values of declared settings from the environment and a `.env` file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values

from scar.settings.error import SettingsError
from scar.settings.parsers import InvalidValue
from scar.settings.setting import Setting

K = TypeVar("K")


def read_values(
    declared: Mapping[K, Setting], env: Mapping[str, str], dotenv: Path | None
) -> dict[K, Any]:
    """Return the values of the settings that are set, by the keys of `declared`.

    The environment takes precedence over the file `dotenv`, which need not exist. An empty variable
    counts as not set, because Compose passes `${NAME:-}` as an empty variable. Raises
    `SettingsError` with all problems together.
    """
    problems: list[str] = []
    from_file = {} if dotenv is None else _read_file(dotenv, problems)
    values: dict[K, Any] = {}
    for key, setting in declared.items():
        text = env.get(setting.variable, "").strip() or from_file.get(setting.variable, "").strip()
        if not text:
            continue
        try:
            values[key] = setting.parse(text)
        except InvalidValue as error:
            problems.append(f"{setting.variable}: {error}")
    if problems:
        raise SettingsError(problems)
    return values


def names_with_prefix(prefix: str, dotenv: Path = Path(".env")) -> list[str]:
    """Return the names of the set variables with a prefix, in the environment or `.env`."""
    names = {*os.environ, *_read_file(dotenv, [])}
    return sorted(name for name in names if name.startswith(prefix))


def _read_file(path: Path, problems: list[str]) -> dict[str, str]:
    """Return the variables in the file; add to `problems` if it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            problems.append(f"{path}: cannot be read as a file")
            return {}
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        problems.append(f"{path}: is not a UTF-8 text file")
    return {}
