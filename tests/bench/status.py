"""Compares a status, from the request to the result at the client, with `docker compose ps`."""

from __future__ import annotations

from time import perf_counter

from tests.bench.scene import BenchScene
from tests.bench.table import Row, at_most, middle


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """POST, the queue, a worker, the Engine, and back over Server-Sent Events."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(2 if short else 25):
        begun = perf_counter()
        result = scene.do("status")
        ours.append(perf_counter() - begun)
        scene.require(result)
        begun = perf_counter()
        scene.compose("ps")
        theirs.append(perf_counter() - begun)
    limit = 0.5
    return [
        at_most(
            "status through the queue", middle(ours), middle(theirs), limit, against="compose ps"
        )
    ]
