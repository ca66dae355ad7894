"""The error of settings that are missing or wrong."""

from __future__ import annotations

from collections.abc import Sequence

from scar.errors import ScarError


class SettingsError(ScarError):
    """Settings that are missing or wrong, one line each; no line contains a value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            "invalid_settings",
            "\n".join(problems),
            "Set it in the environment or in .env, then start again.",
        )
