"""`scar --version`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from click.testing import CliRunner

from scar.cli import scar

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_version_is_that_of_the_installed_package() -> None:
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    printed = CliRunner().invoke(scar, ["--version"])
    assert printed.exit_code == 0
    assert printed.output == f"scar, version {version}\n"
