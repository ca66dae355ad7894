"""Compares a deploy with `docker compose up -d --build` of the same change, in alternating
rounds.
"""

from __future__ import annotations

from time import perf_counter

from tests.bench.scene import STABLE_SECONDS, BenchScene
from tests.bench.table import Row, at_most, middle, seconds
from tests.support.compose_project import run_docker

_CHANGED, _ROLLED_BACK, _UNCHANGED = 1.15, 1.2, 0.5


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """Measure a changed file that is built into one service, then a deploy without changes."""
    return [
        _changed(scene, 1 if short else 7),
        _unchanged(scene, 1 if short else 9),
        _rolled_back(scene, 1 if short else 5),
    ]


def _changed(scene: BenchScene, rounds: int) -> Row:
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        for sample in (scene.shop, scene.twin):
            # The contents differ, since the builder would otherwise reuse the image of the other
            # one.
            sample.page(f"Page {number} of {sample.name}")
        begun = perf_counter()
        scene.compose("up", "-d", "--build")
        theirs.append(perf_counter() - begun)
        begun = perf_counter()
        result = scene.do("deploy", confirm="yes")
        ours.append(perf_counter() - begun)
        assert scene.require(result)["result"]["built"] == ["web"], result
    scar, compose = middle(ours), middle(theirs)
    ratio = (scar - STABLE_SECONDS) / compose
    return Row(
        "deploy of one changed service",
        seconds(scar),
        f"compose up --build {seconds(compose)} + {STABLE_SECONDS} s stable",
        f"× {ratio:.2f} + {STABLE_SECONDS} s",
        f"≤ {_CHANGED} + {STABLE_SECONDS} s",
        ratio <= _CHANGED,
    )


def _rolled_back(scene: BenchScene, rounds: int) -> Row:
    """Measure the way back: `compose up -d` after the earlier image has its name again."""
    ours: list[float] = []
    theirs: list[float] = []
    image = f"{scene.twin.name}-web"
    for number in range(rounds):
        before = run_docker("image", "inspect", "-f", "{{.Id}}", image)
        for sample in (scene.shop, scene.twin):
            sample.page(f"Another page {number} of {sample.name}")
        scene.compose("up", "-d", "--build")
        scene.require(scene.do("deploy", confirm="yes"))
        begun = perf_counter()
        run_docker("tag", before, image)
        scene.compose("up", "-d")
        theirs.append(perf_counter() - begun)
        begun = perf_counter()
        result = scene.do("rollback", confirm="yes")
        ours.append(perf_counter() - begun)
        assert scene.require(result)["result"]["restored"], result
    scar, compose = middle(ours), middle(theirs)
    ratio = (scar - STABLE_SECONDS) / compose
    return Row(
        "rollback to the release before",
        seconds(scar),
        f"tag, compose up {seconds(compose)} + {STABLE_SECONDS} s stable",
        f"× {ratio:.2f} + {STABLE_SECONDS} s",
        f"≤ {_ROLLED_BACK} + {STABLE_SECONDS} s",
        ratio <= _ROLLED_BACK,
    )


def _unchanged(scene: BenchScene, rounds: int) -> Row:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        begun = perf_counter()
        scene.compose("up", "-d", "--build")
        theirs.append(perf_counter() - begun)
        begun = perf_counter()
        result = scene.do("deploy", confirm="yes")
        ours.append(perf_counter() - begun)
        assert scene.require(result)["result"]["nothing"], result
    return at_most(
        "deploy without a change", middle(ours), middle(theirs), _UNCHANGED,
        against="compose up --build",
    )  # fmt: skip
