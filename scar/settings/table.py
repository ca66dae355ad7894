"""The table of all settings, as README.md has it."""

from __future__ import annotations

from collections.abc import Iterator

from scar.settings.fields import SettingFields
from scar.settings.setting import Setting, declared_settings


def markdown_table() -> str:
    """Return the table in Markdown, one row for each setting in the order of declaration."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield "| variable | default | |"
    yield "| --- | --- | --- |"
    for setting in declared_settings(SettingFields).values():
        yield f"| `{setting.variable}` | {_default(setting)} | {setting.about} |"


def _default(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else "none"
