"""The table of all settings for README.md."""

from __future__ import annotations

from collections.abc import Iterator

from scar.settings.fields import SettingFields
from scar.settings.front_end import front_end_settings
from scar.settings.setting import Setting, declared_settings


def markdown_table() -> str:
    """Return the table as Markdown, one row for each setting in the order of declaration."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield "| variable | default | |"
    yield "| --- | --- | --- |"
    for setting in all_settings():
        yield f"| `{setting.variable}` | {_default(setting)} | {setting.about} |"


def all_settings() -> Iterator[Setting]:
    """Yield every setting in the order of declaration, those of front-ends last."""
    yield from declared_settings(SettingFields).values()
    for kind in front_end_settings().values():
        yield from declared_settings(kind).values()


def _default(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else "none"
