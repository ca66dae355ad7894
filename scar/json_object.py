"""`JsonObject`, the type of JSON objects where they are parsed or written; other code uses
dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]
"""A parsed JSON object, or one that is about to be written."""
