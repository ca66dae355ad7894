"""The settings, read once from the environment and `.env`, with all errors reported together.

No other module reads SCAR's environment variables. A new setting is a new field of `SettingFields`,
or of a front-end's own settings if only that front-end uses it.
"""

from __future__ import annotations

from scar.settings.error import SettingsError
from scar.settings.front_end import FrontEndSettings
from scar.settings.settings import Settings

__all__ = ["FrontEndSettings", "Settings", "SettingsError"]
