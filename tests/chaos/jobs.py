"""Submits jobs while the worker and Redis are killed, and checks that none was lost or done twice.

A history checker in the manner of Jepsen: every request and its job are written down, processes
are killed at random instants (the seed can be replayed), and afterwards each accepted job must have
ended once, and each restart must have happened at most once on the Engine.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import httpx

from scar.client import ApiClient, ApiUnreachable
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from tests.support.compose_project import IMAGE, run_docker
from tests.support.installation import Installation
from tests.support.waiting import eventually

T = TypeVar("T")
TOKEN = "chaos-operator-token"
LOOKS = "chaos-looks-at-status"
_PATIENCE = 90.0
_LISTENING_WITHIN = 60.0
"""A busy machine starts a worker slowly; what is asked for is that it comes back at all."""


@dataclass
class Findings:
    """The findings of a run. `away` are the seconds until a worker listened again after each
    kill.
    """

    seed: int
    accepted: int = 0
    refused_busy: int = 0
    worker_kills: int = 0
    redis_kills: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    away: list[float] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """All violations of the guarantees."""
        slow = [f"a worker was away for {s:.1f} s" for s in self.away if s > _LISTENING_WITHIN]
        return (
            [f"lost: {id}" for id in self.lost] + [f"twice: {what}" for what in self.doubled] + slow
        )

    def __str__(self) -> str:
        longest = max(self.away, default=0.0)
        return (
            f"seed {self.seed}: {self.accepted} jobs accepted, {self.refused_busy} refused (busy), "
            f"{self.worker_kills} kills of the worker, {self.redis_kills} of Redis: "
            f"{len(self.lost)} lost, {len(self.doubled)} done twice, "
            f"listening again within {longest:.1f} s, failures {dict(self.failed)}"
        )


class Fleet:
    """Several one-container projects under one SCAR."""

    def __init__(self, folder: Path, projects: int) -> None:
        tag = uuid4().hex[:6]
        self.containers = {f"p{n}": f"scarchaos-{tag}-{n}" for n in range(projects)}
        self.installation = Installation(
            folder,
            SCAR_STABLE_SECONDS="0.1",
            SCAR_API_TOKENS=f"chaos:operator:{TOKEN},looks:viewer:{LOOKS}",
        )
        self.api = ApiClient(f"http://127.0.0.1:{self.installation.port}", lambda *_: TOKEN)

    def begin(self) -> None:
        """Starts the containers, then SCAR."""
        entries = {}
        for name, container in self.containers.items():
            run_docker(
                "run", "-d", "--stop-signal", "KILL", "--name", container, IMAGE, "sleep", "100000"
            )
            for what in ("workspace", "production"):
                (self.installation.folder / what / name).mkdir(parents=True, exist_ok=True)
            entries[name] = {
                "workspace": str(self.installation.folder / "workspace" / name),
                "production": str(self.installation.folder / "production" / name),
                "containers": [container],
            }
        self.installation.projects_file.write_text(json.dumps(entries))
        self.installation.up()

    def end(self) -> None:
        """Ends SCAR and removes the containers."""
        self.installation.down()
        for container in self.containers.values():
            run_docker("rm", "-f", container, check=False)

    def restarts(self, since: float) -> Counter[str]:
        """How often the Engine restarted each container."""
        names = run_docker(
            *("events", "--since", f"{since:.0f}", "--until", f"{time.time():.0f}"),
            *("--filter", "event=restart", "--format", "{{.Actor.Attributes.name}}"),
        )
        return Counter(names.split())


def run(fleet: Fleet, *, jobs: int, worker_kills: int, redis_kills: int, seed: int) -> Findings:
    """Asks for `jobs` jobs while it kills; returns once every one of them has ended or is lost."""
    findings = Findings(seed)
    chance = random.Random(seed)
    began = time.time()
    asked: list[tuple[str, str, str]] = []
    quiet = threading.Event()
    kinds = ["worker"] * worker_kills + ["redis"] * redis_kills
    chance.shuffle(kinds)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(_ask, fleet, jobs, seed, asked, findings, quiet)
        try:
            for kind in kinds:
                time.sleep(chance.uniform(0.2, 2.0))
                _kill(fleet, kind, findings)
        finally:
            quiet.set()
        asking.result()
    eventually(fleet.installation.is_ready, "every part is back")
    _judge(fleet, asked, findings, began)
    return findings


def _ask(
    fleet: Fleet,
    jobs: int,
    seed: int,
    asked: list[tuple[str, str, str]],
    findings: Findings,
    quiet: threading.Event,
) -> None:
    chance = random.Random(seed + 1)
    while len(asked) < jobs or not quiet.is_set():
        project = chance.choice(list(fleet.containers))
        kind = "restart" if chance.random() < 0.15 else "status"
        job = _submit(fleet, kind, project, findings)
        if job is not None:
            asked.append((job.id, kind, project))
        if len(asked) >= jobs:
            quiet.wait(0.1)


def _submit(fleet: Fleet, kind: str, project: str, findings: Findings) -> Job | None:
    """One request, repeated with the same key until the API says yes or no."""
    body: dict[str, object] = {"kind": kind, "project": project}
    if kind == "restart":
        body["confirm"] = "yes"
    key = uuid4().hex
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            job = fleet.api.request(
                "POST", "/jobs", json=body, extra_headers={"Idempotency-Key": key}
            )
            findings.accepted += 1
            return Job.from_json(job)
        except ApiUnreachable:
            if time.monotonic() > deadline:
                raise
        except ScarError as error:
            if error.code == "busy":
                findings.refused_busy += 1
                return None
            if error.code != "redis_unavailable" or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _kill(fleet: Fleet, kind: str, findings: Findings) -> None:
    if kind == "redis":
        eventually(lambda: fleet.installation.has_other("redis.sock", 0), "Redis runs again")
        fleet.installation.kill("redis.sock")
        findings.redis_kills += 1
        return
    fleet.installation.kill_all("celery")
    findings.worker_kills += 1
    killed = time.monotonic()
    eventually(lambda: _answers(fleet), "a worker does a job again", 180.0)
    findings.away.append(time.monotonic() - killed)


def _answers(fleet: Fleet) -> bool:
    """Return whether a worker does a job that is asked for now, by one who asks for nothing else:
    the other may have asked as often as the API lets one client.
    """
    url = f"http://127.0.0.1:{fleet.installation.port}/api/v1/projects/p0/status"
    headers = {"Authorization": f"Bearer {LOOKS}"}
    try:
        # A context for TLS costs 45 ms of CPU, and is not used here.
        answer = httpx.get(url, headers=headers, timeout=20, verify=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def _judge(
    fleet: Fleet, asked: list[tuple[str, str, str]], findings: Findings, began: float
) -> None:
    wanted: Counter[str] = Counter()
    deadline = time.monotonic() + _PATIENCE
    for id, kind, project in asked:
        while not (job := _job(fleet, id)).state.ended:
            if time.monotonic() > deadline:
                findings.lost.append(f"{kind} {id} is {job.state.value}")
                break
            time.sleep(0.1)
        if kind == "restart":
            wanted[fleet.containers[project]] += 1
        if job.state.ended:
            _judge_events(fleet, job, findings)
    restarts = fleet.restarts(began - 1)
    for container in fleet.containers.values():
        times = restarts[container]
        if times > wanted[container]:
            findings.doubled.append(
                f"{container} was restarted {times} times for {wanted[container]} jobs"
            )


def _job(fleet: Fleet, id: str) -> Job:
    return _within_limits(lambda: fleet.api.job(id))


def _within_limits(ask: Callable[[], T]) -> T:
    """Ask the API as often as one client may."""

    def answer() -> tuple[T] | None:
        try:
            return (ask(),)
        except ScarError as error:
            if error.code != "too_many_requests":
                raise
            return None

    answered = eventually(answer, "the API answers one that asks often")
    assert answered is not None
    return answered[0]


def _judge_events(fleet: Fleet, job: Job, findings: Findings) -> None:
    if job.state is not JobState.SUCCEEDED:
        findings.failed[f"{job.request.kind}: {job.error.code if job.error else '?'}"] += 1
    events = _within_limits(lambda: list(fleet.api.events(job.id)))
    if [event.id for event in events] != list(range(1, len(events) + 1)):
        findings.lost.append(f"events of {job.id}")
    results = [event for event in events if event.type == "result"]
    ends = [e for e in events if e.type == "job" and JobState(e.data["state"]).ended]
    if len(results) > 1 or len(ends) != 1:
        findings.doubled.append(f"{job.id} ended {len(ends)} times, {len(results)} results")
