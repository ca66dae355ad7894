"""The type of a JSON object, for where JSON is read or written and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]
"""A parsed JSON object, or one that is about to be written."""
