"""Compares the rate of jobs through API and queue with that of a bare Celery task."""

from __future__ import annotations

import subprocess
import sys
import threading
from time import perf_counter, sleep
from typing import Any, cast

from redis import Redis

from scar.redis_client import connect
from scar.settings import Settings
from tests.bench.scene import BenchScene
from tests.bench.table import Row, middle
from tests.support.waiting import PATIENCE

_CLIENTS = 4
_LEAST = 0.4
_SAID = "scar:bench:said"


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """Both producers send as fast as they can; the time ends when everything is done."""
    count = 40 if short else 500
    # It waits for as long as a busy machine takes to start a worker.
    settings = Settings.load(scene.installation.env, dotenv=None)
    redis = connect(settings.effective_redis_url, timeout=2 * PATIENCE)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--quiet", "-A", "tests.bench.bare", "worker",
         "-Q", "bare", "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
         "--without-heartbeat"],
        env=scene.installation.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _bare(scene, redis, 1)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(1 if short else 3):
            theirs.append(count / _bare(scene, redis, count))
            ours.append(count / _jobs(scene, redis, count))
    finally:
        worker.terminate()
        worker.wait(PATIENCE)
    rate, bare = middle(ours), middle(theirs)
    return [
        Row(
            "jobs through API and queue",
            f"{rate:.0f}/s",
            f"bare Celery task {bare:.0f}/s",
            f"× {rate / bare:.2f}",
            f"≥ {_LEAST}",
            rate / bare >= _LEAST,
        )
    ]


def _bare(scene: BenchScene, redis: Redis, count: int) -> float:
    """Seconds from the first message's sending to the last one's end."""
    producer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.producer", str(count), _SAID],
        env=scene.installation.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert producer.stdout
    assert producer.stdin
    producer.stdout.readline()
    begun = perf_counter()
    producer.stdin.close()
    assert cast("Any", redis.blpop([_SAID], timeout=PATIENCE)), "the bare worker does not listen"
    taken = perf_counter() - begun
    assert producer.wait(PATIENCE) == 0
    producer.stdout.close()
    return taken


def _jobs(scene: BenchScene, redis: Redis, count: int) -> float:
    """Seconds from the first request to the end of the last job."""
    failures: list[BaseException] = []

    def client() -> None:
        http = scene.connection()
        try:
            for _ in range(count // _CLIENTS):
                scene.ask(http, "status")
        except (AssertionError, OSError) as failure:
            failures.append(failure)
        finally:
            http.close()

    threads = [threading.Thread(target=client) for _ in range(_CLIENTS)]
    begun = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    while redis.zcard("scar:open"):
        assert perf_counter() - begun < 10 * PATIENCE, "jobs are left"
        sleep(0.005)
    return perf_counter() - begun
