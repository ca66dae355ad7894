"""Whose figures and error lines a container's are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scar.projects import Project
from tests.unit.test_zero_downtime import RUNNING
from workers.watch.usage_sampler import is_of

SHOP = Project("shop", Path("/w"), Path("/p"), "shop", ("shop-web-1",), "shop-web-1")


@pytest.mark.parametrize(
    ("owner", "name", "auto_detect", "expected"),
    [
        ("shop", "shop-web-1", False, True),
        ("", "shop-web-1", False, True),
        ("bank", "shop-web-1", False, False),
        ("bank", "shop-web-1", True, False),
        ("shop", "shop-db-1", True, True),
        ("shop", "shop-db-1", False, False),
    ],
)
def test_a_container_of_another_compose_project_is_none(
    owner: str, name: str, auto_detect: bool, expected: bool
) -> None:
    project = replace(SHOP, auto_detect=auto_detect)
    assert is_of(project, replace(RUNNING, project=owner, name=name)) == expected
