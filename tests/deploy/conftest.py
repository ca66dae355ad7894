"""A shop for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .shop import Shop


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Makes a shop; `entry` is added to its entry of the projects file."""
    shops: list[Shop] = []

    def make(**entry: Any) -> Shop:
        shop = Shop(tmp_path / f"shop{len(shops)}", **entry)
        shops.append(shop)
        shop.begin()
        return shop

    yield make
    for shop in shops:
        shop.remove()


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """One that has been deployed once."""
    made = open_shop()
    first = made.do("deploy")
    assert first.state == "succeeded", first.error
    assert made.site() == "one"
    return made
