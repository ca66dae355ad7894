"""A log that is followed while a container writes it, beside `docker logs -f`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import perf_counter

from tests.bench.scene import BenchScene
from tests.bench.table import Row, middle

_LEAST = 0.5
_MOST_MEGABYTES = 16
_LINE = "INFO web request id=$i path=/api/v1/orders status=200 took=12ms"


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """Each line goes through worker, Redis and API, and is masked on the way. They follow in turns,
    never both at once. What Redis keeps of the job is not counted as memory.
    """
    lines = 5_000 if short else 100_000
    container = f"{scene.shop.name}-ticker-1"
    ours: list[float] = []
    theirs: list[float] = []
    _turn(container, 5_000, _scar(scene, container))  # warm
    before = _memory(scene)
    for _ in range(1 if short else 3):
        theirs.append(_turn(container, lines, _docker(container)))
        ours.append(_turn(container, lines, _scar(scene, container)))
    grown = _memory(scene) - before
    ratio = middle(theirs) / middle(ours)
    name = f"{lines:,} log lines followed"
    per_second = [f"{lines / middle(times):,.0f}/s" for times in (ours, theirs)]
    return [
        Row(name, per_second[0], f"docker logs -f {per_second[1]}", f"× {ratio:.2f}",
            f"≥ {_LEAST}", ratio >= _LEAST),
        Row(f"{name}: memory more", f"{grown:.0f} MB", "", f"{grown:.0f} MB",
            f"≤ {_MOST_MEGABYTES} MB", grown <= _MOST_MEGABYTES),
    ]  # fmt: skip


def _turn(
    container: str, lines: int, follower: AbstractContextManager[Callable[[bytes], None]]
) -> float:
    with follower as until_seen:
        _seconds(container, 500, until_seen)
        return _seconds(container, lines, until_seen)


def _seconds(container: str, lines: int, until_seen: Callable[[bytes], None]) -> float:
    """Let a container write lines; return after how many seconds the last one was seen."""
    last = f"last-of-{perf_counter()}"
    loop = f'i=0; while [ $i -lt {lines} ]; do echo "{_LINE}"; i=$((i+1)); done; echo {last}'
    begun = perf_counter()
    with subprocess.Popen(["docker", "exec", container, "sh", "-c", f"({loop}) >/proc/1/fd/1"]):
        until_seen(last.encode())
        return perf_counter() - begun


@contextmanager
def _docker(container: str) -> Iterator[Callable[[bytes], None]]:
    command = ["docker", "logs", "-f", "--tail", "10", container]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as follower:
        assert follower.stdout is not None
        try:
            yield _until(follower.stdout.read1)  # type: ignore[attr-defined]
        finally:
            follower.kill()


@contextmanager
def _scar(scene: BenchScene, container: str) -> Iterator[Callable[[bytes], None]]:
    http = scene.connection()
    body = json.dumps({"kind": "follow", "project": "shop", "args": {"container": container}})
    http.request("POST", "/api/v1/jobs", body, scene.headers)
    id = json.loads(http.getresponse().read())["id"]
    http.request("GET", f"/api/v1/jobs/{id}/events", headers=scene.headers)
    try:
        with http.getresponse() as answer:
            until_seen = _until(answer.read1)
            until_seen(b'"following"')
            yield until_seen
    finally:
        http.close()
        http.request("POST", f"/api/v1/jobs/{id}/cancel", "{}", scene.headers)
        http.getresponse().read()
        http.close()


def _until(read: Callable[[int], bytes]) -> Callable[[bytes], None]:
    def until_seen(word: bytes) -> None:
        """Read until a word was there."""
        rest = b""
        while word not in rest:
            chunk = read(65_536)
            assert chunk, "the log ended"
            rest = rest[-len(word) :] + chunk

    return until_seen


def _memory(scene: BenchScene) -> float:
    """Return the megabytes that worker and API have for themselves."""
    total = 0
    for pid, command in scene.installation.processes().items():
        if "-m celery" in command or "scar.cli api" in command:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(map(int, re.findall(r"^Private_Dirty: +(\d+) kB", text, re.M)))
    return total / 1024
