"""The layout of the source: which module is in which layer, what it may import, and how large files
and functions may be.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.unit.architecture import (
    BANNED_WORDS,
    DOCKER,
    MODULES,
    PROCESSES,
    ROOT,
    SCAR,
    SHARED,
    WORKERS,
    Module,
    is_in,
    module_of,
    room_of,
)

LINES_OF_A_FUNCTION = 40
LINES_OF_A_FILE = 300
UNTYPED_DICTIONARIES = 60
FILES_AT_THE_ROOT = {"scar": 14, "workers": 6}


def _arrows() -> Iterator[tuple[str, str]]:
    for name, module in MODULES.items():
        targets = {module_of(target) for target in module.imports}
        yield from ((name, target) for target in targets if target and target != name)


def _may_import(name: str, target: str) -> bool:
    if name.split(".")[0] == "workers" and target.split(".")[0] == "scar":
        return room_of(target, SHARED) is not None
    layers = WORKERS if name.split(".")[0] == "workers" else SCAR
    here, there = room_of(name, layers), room_of(target, layers)
    return here is not None and there is not None and (there[0] < here[0] or there[1] == here[1])


def test_every_module_is_in_the_layer_table() -> None:
    homeless = [
        name
        for name in MODULES
        if room_of(name, WORKERS if name.startswith("workers") else SCAR) is None
    ]
    assert homeless == []


def test_the_design_page_has_the_layer_table() -> None:
    rows = re.findall(r"^\| ([^|`]+) \| (`[^|]*`) \|$", (ROOT / "docs/design.md").read_text(), re.M)
    documented = [(name, tuple(re.findall(r"`([^`]+)`", modules))) for name, modules in rows]
    for layers in (SCAR, WORKERS):
        for layer in layers:
            assert (layer.name, layer.modules) in documented


def test_an_import_only_goes_down_the_layers() -> None:
    assert [arrow for arrow in _arrows() if not _may_import(*arrow)] == []


def test_scar_never_imports_workers() -> None:
    guilty = [
        name
        for name, module in MODULES.items()
        if name.split(".")[0] == "scar"
        and any(target.split(".")[0] == "workers" for target in module.imports)
    ]
    assert guilty == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside a function count: they only hide a circle."""
    graph = defaultdict(set)
    for name, target in _arrows():
        # A package's __init__ may gather its own modules.
        if not target.startswith(f"{name}.") and not name.startswith(f"{target}."):
            graph[name].add(target)
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"circle: {' -> '.join((*above, name))}"
        if name not in done:
            for below in sorted(graph[name]):
                visit(below, (*above, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_only_the_engine_package_imports_docker() -> None:
    guilty = [
        name
        for name, module in MODULES.items()
        if not is_in(name, DOCKER)
        and (any(is_in(target, ("docker",)) for target in module.imports) or _runs_docker(module))
    ]
    assert guilty == []


def _runs_docker(module: Module) -> bool:
    """Return whether "docker" is the first word of a command line, or looked for on PATH."""
    for node in module.nodes if '"docker"' in module.text else ():
        if isinstance(node, ast.List | ast.Tuple):
            first = node.elts[0] if node.elts else None
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("which"):
            first = node.args[0] if node.args else None
        else:
            continue
        if isinstance(first, ast.Constant) and first.value == "docker":
            return True
    return False


def test_only_the_listed_modules_start_processes() -> None:
    starts = re.compile(r"\bcreate_subprocess_|\bos\.(?:posix_)?spawn|\bos\.system\(|\bos\.popen\(")
    guilty = [
        name
        for name, module in MODULES.items()
        if not is_in(name, PROCESSES)
        and ("subprocess" in module.imports or starts.search(module.text))
    ]
    assert guilty == []


def test_redis_clients_are_only_made_in_one_place() -> None:
    made = re.compile(r"\b(?:Redis|\w*ConnectionPool)(?:\.from_\w+)?\(")
    guilty = [name for name, module in MODULES.items() if made.search(module.text)]
    assert guilty == ["scar.redis_client"]


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for name, module in MODULES.items():
        for node in module.nodes:
            if isinstance(node, ast.ClassDef) and node.name != "Meta":  # marshmallow's own word
                places[node.name].append(name)
    assert {word: names for word, names in places.items() if len(names) > 1} == {}


def test_functions_are_short() -> None:
    long = {
        f"{name}.{node.name}": lines
        for name, module in MODULES.items()
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_files_are_short() -> None:
    lengths = {name: len(module.text.splitlines()) for name, module in MODULES.items()}
    assert {name: size for name, size in lengths.items() if size > LINES_OF_A_FILE} == {}


def test_no_variable_is_named_found() -> None:
    paths = [path for part in ("scar", "workers", "tests") for path in (ROOT / part).rglob("*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(paths)}
    # To parse every file takes 2 s of CPU.
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, text in texts.items()
        if re.search(r"\bfound\b", text)
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Name) and node.id == "found" and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.arg) and node.arg == "found")
    ]
    assert guilty == []


def test_few_dictionaries_are_untyped() -> None:
    untyped = re.compile(r"\b(?:dict|Mapping|MutableMapping)\[str, Any\]")
    count = sum(len(untyped.findall(module.text)) for module in MODULES.values())
    assert count <= UNTYPED_DICTIONARIES


@pytest.mark.parametrize(("folder", "most"), FILES_AT_THE_ROOT.items())
def test_few_files_are_at_the_root_of_a_package(folder: str, most: int) -> None:
    assert len([*(ROOT / folder).glob("*.py")]) <= most


@pytest.mark.parametrize("word", BANNED_WORDS)
def test_no_module_has_a_catch_all_name(word: str) -> None:
    assert [name for name in MODULES if word in name.lower()] == []
