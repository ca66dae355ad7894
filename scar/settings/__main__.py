"""`python -m scar.settings` prints the table of settings for README.md."""

from __future__ import annotations

from scar.settings.table import markdown_table

print(markdown_table())
