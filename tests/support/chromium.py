"""The Chromium that the tests of the web page drive."""

from __future__ import annotations

import shutil
from functools import cache

_NAMES = ("chromium", "google-chrome", "chromium-browser")


@cache
def executable() -> str | None:
    """Return the path of the installed Chromium or Chrome, or None."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
