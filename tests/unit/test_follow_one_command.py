"""The path of `/docker_deploy` in docs/design.md is the one that the code takes."""

from __future__ import annotations

import inspect
import re
from functools import reduce
from importlib import import_module
from typing import Any

from tests.unit.architecture import ROOT

_DESIGN = (ROOT / "docs/design.md").read_text()
_SECTION = re.search(r"## Follow one command.*?(?=\n## )", _DESIGN, re.DOTALL)
_STEP = re.compile(r"`((?:scar|workers)\.[\w.]+):([\w.]+)`")


def _groups() -> list[list[str]]:
    """Return the steps of each numbered part, as `module:function`."""
    assert _SECTION is not None
    parts = re.split(r"\n\*\*", _SECTION[0])[1:]
    return [[f"{module}:{name}" for module, name in _STEP.findall(part)] for part in parts]


def _function(step: str) -> Any:
    module, name = step.split(":")
    return reduce(getattr, name.split("."), import_module(module))


def test_every_function_named_in_the_design_walkthrough_exists() -> None:
    steps = [step for group in _groups() for step in group]
    assert len(steps) > 25
    for step in steps:
        assert callable(_function(step)), step


def test_every_step_is_called_by_an_earlier_one_of_its_part() -> None:
    for group in _groups():
        for number, step in enumerate(group[1:], 1):
            name = step.rpartition(":")[2].rpartition(".")[2]
            callers = [inspect.getsource(_function(earlier)) for earlier in group[:number]]
            called = re.compile(rf"\b{re.escape(name)}\b")
            assert any(called.search(_body(source)) for source in callers), step


def _body(source: str) -> str:
    """Return the source without the line that names the function itself."""
    return source.partition("def ")[2].partition("(")[2]
