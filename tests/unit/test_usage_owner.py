"""Whose figures and error lines a container's are, and what is left of a sample that fails."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.projects import Project
from tests.support.job_context import settings_in
from tests.unit.test_watching import engine_that
from tests.unit.test_zero_downtime import RUNNING
from workers.state.usage_ring import UsageRings
from workers.watch.usage_sampler import UsageSampler, is_of

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
def test_usage_of_a_container_of_another_compose_project_is_not_counted(
    owner: str, name: str, auto_detect: bool, expected: bool
) -> None:
    project = replace(SHOP, auto_detect=auto_detect)
    assert is_of(project, replace(RUNNING, project=owner, name=name)) == expected


def test_one_container_that_the_engine_refuses_takes_no_sample_from_the_others(
    tmp_path: Path,
) -> None:
    names = ("web", "bad", "db")
    rows = [{"Id": name, "Names": [f"/{name}"], "State": "running"} for name in names]

    def answer(path: str) -> bytes | None:
        if "/containers/json" in path:
            return json.dumps(rows).encode()
        return None if "/bad/" in path else b'{"memory_stats": {"usage": 5}}'

    settings, clock = settings_in(tmp_path), count(0, 10)
    entry = {"workspace": "/w/shop", "production": "/p/shop", "containers": list(names)}
    settings.projects_file.write_text(json.dumps({"shop": entry}))
    with engine_that(answer) as engine:
        sampler = UsageSampler(
            settings, engine=engine, wall=lambda: 1e9, monotonic=lambda: float(next(clock))
        )
        for _ in range(2):
            with pytest.raises(ScarError, match="refused"):
                sampler.sample()
    rings = UsageRings(settings.state_dir / "projects" / "shop")
    assert {name: len(rings.of(name).since(10**9 - 300, 10**9 + 10)) for name in names} == {
        "web": 1,
        "bad": 0,
        "db": 1,
    }
