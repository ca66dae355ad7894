"""The settings: read once from the environment and `.env`, with every error reported at once.

No other module reads SCAR's variables. A further setting is one more field of `SettingFields`,
or of the settings of the front-end that alone needs it.
"""

from __future__ import annotations

from scar.settings.error import SettingsError
from scar.settings.front_end import FrontEndSettings
from scar.settings.settings import Settings

__all__ = ["FrontEndSettings", "Settings", "SettingsError"]
