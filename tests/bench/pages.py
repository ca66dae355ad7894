"""Two hundred open pages of one job: what everybody else waits, and how much memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import urlencode

from scar.bootstrap import Services
from scar.jobs.step import Progress, Step, StepState
from tests.bench.memory import pss_of
from tests.bench.scene import ELSEWHERE, BenchScene
from tests.bench.table import Row, percentile, seconds
from tests.support.acting_worker import ActingWorker

PAGES = 200
_LINES_PER_SECOND = 20
_LINES_A_STEP = 4
_BUILDING = Step("building", "Building new image", StepState.RUNNING)
_P99, _P95_ON_SCREEN, _MOST_MB = 0.100, 0.100, 150


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """Measure the API's other answers and its memory while the pages are open."""
    http = scene.connection()
    id = scene.ask(http, "restart", project=ELSEWHERE, confirm="yes")
    answers, arrivals = measure(
        scene.services, scene.installation.port, scene.token, id, 4 if short else 20
    )
    http.close()
    memory = sum(
        pss_of(pid)
        for pid, command in scene.installation.processes().items()
        if "scar.cli api" in command
    )
    others, on_screen = percentile(answers, 0.99), percentile(arrivals, 0.95)
    mb = f"{memory:.0f} MB"
    return [
        _row(f"{PAGES} open pages: others' answers, 99 % within", others, _P99),
        _row(f"{PAGES} open pages: on the screen, 95 % within", on_screen, _P95_ON_SCREEN),
        Row(f"{PAGES} open pages: memory of the API", mb, "", mb, f"≤ {_MOST_MB} MB",
            memory <= _MOST_MB),
    ]  # fmt: skip


def measure(
    services: Services, port: int, token: str, id: str, lasts: float
) -> tuple[list[float], list[float]]:
    """Return how long each answer took, and each line from its write to each of the pages."""
    cookie = _sign_in(port, token)
    claim = ActingWorker(services).claim(id)
    headers = {"Authorization": f"Bearer {token}"}
    answers: list[float] = []
    with claim.kept_alive(), _open_pages(port, id, cookie) as watchers:
        http = HTTPConnection("127.0.0.1", port, timeout=60)
        until = time.monotonic() + lasts
        for number in _at_a_steady_pace(until):
            claim.lines(f"at={time.time()!r}")
            if number % _LINES_A_STEP == 0:
                claim.step(replace(_BUILDING, progress=Progress(number, 10_000, "build steps")))
            for path in (f"/api/v1/jobs/{id}", "/api/v1/jobs", "/healthz"):
                begun = time.monotonic()
                http.request("GET", path, headers=headers)
                http.getresponse().read()
                answers.append(time.monotonic() - begun)
        http.close()
        claim.succeed({})
        arrivals: list[float] = json.loads(watchers.communicate()[0])
    return answers, arrivals


def _at_a_steady_pace(until: float) -> Iterator[int]:
    number, due = 0, time.monotonic()
    while time.monotonic() < until:
        number, due = number + 1, due + 1 / _LINES_PER_SECOND
        yield number
        time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def _open_pages(port: int, id: str, cookie: str) -> Iterator[subprocess.Popen[str]]:
    words: Sequence[str] = (str(port), f"/jobs/{id}/live", str(PAGES))
    watchers = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.watchers", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watchers.stdin
    assert watchers.stdout
    watchers.stdin.write(f"Cookie: {cookie}\n")
    watchers.stdin.flush()
    assert watchers.stdout.readline() == "all listen\n"
    yield watchers


def _sign_in(port: int, token: str) -> str:
    """Return the cookie of a session."""
    http = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://127.0.0.1:{port}",
    }
    http.request("POST", "/sign-in", urlencode({"token": token}), headers)
    answer = http.getresponse()
    answer.read()
    http.close()
    return (answer.getheader("Set-Cookie") or "").partition(";")[0]


def _row(name: str, measured: float, limit: float) -> Row:
    shown = seconds(measured)
    return Row(name, shown, "", shown, f"≤ {seconds(limit)}", measured <= limit)
