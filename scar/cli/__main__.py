"""`python -m scar.cli` is `scar`."""

from __future__ import annotations

from scar.cli import main

main()
