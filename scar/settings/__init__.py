"""The settings: read once from the environment and `.env`, with every error reported at once.

No other module reads SCAR's variables. A further setting is one more field of `Settings`.
"""

from __future__ import annotations

from scar.settings.error import SettingsError
from scar.settings.settings import Settings

__all__ = ["Settings", "SettingsError"]
