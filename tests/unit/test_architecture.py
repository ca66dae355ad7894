"""The arrows between modules run one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for part in ("scar", "workers") for path in (ROOT / part).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES}


def imports(path: Path) -> Iterator[str]:
    """The project's modules that are imported when `path` is, not later inside a function."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inner]
        else:
            continue
        yield from (name for name in names if name in MODULES)


def test_scar_never_imports_workers() -> None:
    guilty = [
        name_of(path)
        for path in SOURCES
        if path.is_relative_to(ROOT / "scar")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "workers")
        or (
            isinstance(node, ast.Import)
            and any(alias.name.split(".")[0] == "workers" for alias in node.names)
        )
    ]
    assert guilty == []


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {name: set(imports(path)) - {name} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"circle: {' -> '.join((*above, name))}"
        if name not in done:
            for below in graph[name]:
                visit(below, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("word", ["util", "helper", "common", "misc", "manager"])
def test_every_file_is_named_after_what_is_in_it(word: str) -> None:
    assert [name for name in MODULES if word in name.lower()] == []
