"""`python -m scar.cli` runs the shell command `scar`."""

from __future__ import annotations

from scar.cli import main

main()
