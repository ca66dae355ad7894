"""The error for missing or invalid settings."""

from __future__ import annotations

from collections.abc import Sequence

from scar.errors import ScarError


class SettingsError(ScarError):
    """Missing or invalid settings, one line each; no line contains a setting's value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            "invalid_settings",
            "\n".join(problems),
            "Set it in the environment or in .env, then start again.",
        )
