"""Measures how long an event takes from the worker's write to each of fifty clients."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from tests.bench.scene import ELSEWHERE, BenchScene
from tests.bench.table import Row, percentile, seconds
from tests.support.acting_worker import ActingWorker

WATCHERS = 50
_INTERVAL_SECONDS = 0.025
_EVENTS_PER_RENEWAL = 40
_P50, _P99 = 0.010, 0.050


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """Return the median and the 99th percentile of the clients, which are sockets of one other
    process.
    """
    latencies = _latencies(scene, 60 if short else 400)
    result = []
    for name, part, limit in (("half", 0.5, _P50), ("99 %", 0.99, _P99)):
        value = percentile(latencies, part)
        result.append(
            Row(
                f"event to line, {WATCHERS} watchers: {name} within",
                seconds(value),
                "",
                seconds(value),
                f"≤ {seconds(limit)}",
                value <= limit,
            )
        )
    return result


def _latencies(scene: BenchScene, events: int) -> list[float]:
    services = scene.services
    http = scene.connection()
    id = scene.ask(http, "status", project=ELSEWHERE)
    http.close()
    worker = ActingWorker(services)
    claim = worker.claim(id)
    watchers = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.bench.watchers",
            str(scene.installation.port),
            f"/api/v1/jobs/{id}/events",
            str(WATCHERS),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watchers.stdin
    assert watchers.stdout
    watchers.stdin.write(f"Authorization: Bearer {scene.token}\n")
    watchers.stdin.flush()
    assert watchers.stdout.readline() == "all listen\n"
    for number in range(1, events + 1):
        claim.lines(f"at={time.time()!r}")
        if number % _EVENTS_PER_RENEWAL == 0:
            services.ledger.renew(id, claim.claim.fence)
        time.sleep(_INTERVAL_SECONDS)
    claim.succeed({})
    latencies: list[float] = json.loads(watchers.communicate()[0])
    assert len(latencies) == events * WATCHERS, len(latencies)
    return latencies
