"""Each "cannot" of docs/security.md names a test that exists."""

from __future__ import annotations

import re

import pytest

from tests.unit.architecture import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()
FILES = dict(re.findall(r"`(\w+)` is\s+`(tests/[\w/.]+)`", TEXT))
ROWS = [line for line in TEXT.splitlines() if line.startswith("|") and "---" not in line][7:]


def named_tests() -> list[tuple[str, str]]:
    """Return file and test of every name in the table; a name alone is in the file before."""
    named = []
    for row in ROWS:
        file = ""
        for name in re.findall(r"`([^`]+)`", row.split("|")[4]):
            before, _, test = name.rpartition("::")
            file = FILES.get(before, before) or (name if name.startswith("tests/") else file)
            named.append((file, test if before else "" if name.startswith("tests/") else name))
    return named


def test_every_row_names_a_test() -> None:
    assert len(named_tests()) >= 25
    assert not [row for row in ROWS if not row.split("|")[4].strip()]


@pytest.mark.parametrize(("file", "test"), named_tests())
def test_the_test_of_a_row_exists(file: str, test: str) -> None:
    path = ROOT / file
    assert path.exists(), file
    assert path.is_dir() or f"def {test}" in path.read_text(), f"{file}::{test}"
