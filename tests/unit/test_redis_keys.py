"""Every key that docs/design.md names has the type there that `redis_keys` gives it."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

from scar.jobs.redis_keys import FAMILIES, TYPES

_DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
_NAMES = {"sorted set": "zset"}
_OF_OTHERS = {"job:<id>:events", "mq:*", "set-aside:*"}
"""Keys whose type depends on more than the beginning of their name."""


def _documented() -> dict[str, str]:
    table = _DESIGN.read_text().partition("## On Redis")[2].partition("## On disk")[0]
    keys = {}
    for row in re.findall(r"^\| (`.+?) \| (.+?) \|", table, re.MULTILINE):
        names, kinds = re.findall("`(.+?)`", row[0]), row[1].split(", ")
        for name, kind in zip_longest(names, kinds, fillvalue=kinds[-1]):
            keys[name] = _NAMES.get(kind, kind)
    return {name: kind for name, kind in keys.items() if name not in _OF_OTHERS}


def _type_of(name: str) -> str | None:
    if name in TYPES:
        return TYPES[name]
    return FAMILIES.get(re.split(r":[<*]", name)[0])


def test_a_key_has_the_type_that_the_design_says() -> None:
    documented = _documented()
    assert len(documented) > 40
    wrong = {name: kind for name, kind in documented.items() if _type_of(name) != kind}
    assert wrong == {}
