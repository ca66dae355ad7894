"""The web page with a real API process, and workers that the test controls."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from scar.access import Actor
from scar.bootstrap import Services, bootstrap
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.slots import SlotLimits
from scar.json_object import JsonObject
from scar.settings import Settings
from tests.support.acting_worker import ActingClaim, ActingWorker
from tests.support.job_documents import CONTAINER, PLANNED, RELEASE, STATUS, USAGE
from tests.support.live_api import ApiProcess
from tests.support.redis_process import RedisProcess

ROLES = ("viewer", "operator", "admin")
TOKENS = {role: f"{role}-secret-0000001" for role in ROLES}
WEB = "shop-web-1"
LONG = "the-service-that-imports-orders-from-the-old-warehouse-1"
_ENDLESS = SlotLimits(99, 99, 99, 99, 99)


def _history() -> JsonObject:
    """Return six hours of figures, with a deploy and a time in which nothing was measured."""
    step, steps = 300, 72
    start = (int(time.time()) // step - steps) * step

    def series(level: float) -> list[int | None]:
        return [None if 30 <= n < 34 else int(level * (1 + n % 12 / 20)) for n in range(steps)]

    def usage(name: str, level: float) -> JsonObject:
        rates = ("network_received", "network_sent", "disk_read", "disk_written")
        memory = series(level * (12 << 20))
        return {"name": name, "cpu": series(level), "memory": memory} | {
            rate: series(level * 900) for rate in rates
        }

    deploy = {"at": (start + 50 * step) * 1000, "kind": "deploy", "text": "r42 by Ada"}
    return {
        "start": start * 1000,
        "step_seconds": step,
        "containers": [usage(WEB, 15), usage(LONG, 6)],
        "marks": [deploy],
    }


def _answers(project: str) -> dict[str, Mapping[str, Any]]:
    """Return what a worker answers to each kind that only reads."""
    slow = {
        **CONTAINER,
        "name": LONG,
        "service": "importer",
        "primary": False,
        "health": None,
        "uptime_seconds": 190_000,
        "ports": [],
        "image": "registry.example/warehouse/importer-of-orders@sha256:0123456789abcdef",
    }
    releases = [
        {**RELEASE, "id": f"01JA{number}AAAAAAAAAAAAAAAAAAAAA", "commit": f"4be1{number}9c" * 5}
        for number in range(4)
    ]
    lines = [f"2026-01-31T12:00:{n % 60:02}Z GET /orders/{n} 200 {n % 17} ms" for n in range(80)]
    return {
        "status": {
            **STATUS,
            "project": project,
            "containers": [{**CONTAINER, "uptime_seconds": 8100}, slow],
            "workspace": f"/workspace/{project}",
            "production": f"/srv/production/{project}",
        },
        "logs": {"container": WEB, "count": len(lines), "lines": lines, "notices": []},
        "diff": PLANNED,
        "history": {"project": project, "releases": releases},
        "kept": {"project": project, "files": []},
        "stats": {
            "project": project,
            "containers": [
                {**USAGE, "memory": 180 << 20, "memory_limit": 512 << 20},
                {**USAGE, "name": LONG, "cpu_percent": 12.5, "memory": 96 << 20},
            ],
            "history": _history(),
        },
    }


def _open_jobs(services: Services) -> list[str]:
    return cast("list[str]", services.redis.zrange("scar:open", 0, -1))


class ReadingWorker:
    """A worker that answers every job that only reads, until it is stopped."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.02):
            for job in self._new():
                answers = _answers(job.request.project or "")
                claim = self._services.ledger.claim(job.id, "reader", uuid4().hex, _ENDLESS)
                if claim is not None:
                    ended = ActingClaim.of(self._services, claim)
                    ended.succeed(dict(answers[job.request.kind]))

    def _new(self) -> list[Job]:
        with_answers = _answers("").keys()
        try:
            open_now = [id for id in _open_jobs(self._services) if id not in self._known]
            jobs = [self._services.ledger.get(id) for id in open_now]
        except ScarError:
            return []
        new = [job for job in jobs if job and job.request.kind in with_answers]
        self._known.update(job.id for job in jobs if job)
        return [job for job in new if job.state is JobState.QUEUED]


class PageScene:
    """A served page with one project, `shop`; `worker` claims what changes it, when told to."""

    def __init__(self, folder: Path) -> None:
        self.redis = RedisProcess(folder / "redis")
        project = {
            "workspace": "/workspace/shop",
            "production": "/srv/production/shop",
            "containers": [WEB, LONG],
        }
        (folder / "projects.json").write_text(json.dumps({"shop": project}))
        env = {
            "SCAR_REDIS_URL": self.redis.url,
            "SCAR_PROJECTS_FILE": str(folder / "projects.json"),
            "SCAR_STATE_DIR": str(folder / "state"),
            "SCAR_SECRET_KEY": "a key that only the tests know",
            "SCAR_API_TOKENS": ",".join(f"{role}:{role}:{TOKENS[role]}" for role in ROLES),
        }
        self.services = bootstrap(Settings.load(env, dotenv=None), "api")
        self.worker = ActingWorker(self.services)
        self.worker.alive()
        self._reader = ReadingWorker(self.services)
        self.api = ApiProcess(env, folder / "api.log")
        self.url = self.api.url

    def close(self) -> None:
        """Stop everything."""
        self._reader.stop()
        self.api.kill()
        self.redis.kill()

    def ask(self, kind: str, role: str = "operator") -> Job:
        """Submit a job as the page does."""
        services = self.services
        project = services.projects.get("shop")
        command = services.job_service.commands[kind]
        return services.job_service.submit(Actor("web", role, role), command, project, {})

    def plan(self, id: str, plan: dict[str, Any] = PLANNED) -> None:
        """Report the plan of a deploy or a rollback, so that its question is asked."""
        self.worker.claim(id).plan(plan)

    def confirm(self, job: Job) -> None:
        """Say yes to the plan that `plan` has shown."""
        who, shown = job.request.requested_by, str(PLANNED["hash"])
        self.services.job_service.confirm(who, job.id, "yes", shown=shown)

    def settle(self) -> None:
        """End every job and every lock that an earlier test has left."""
        for id in _open_jobs(self.services):
            job = self.services.ledger.get(id)
            if job is not None and job.request.changes:
                self.services.job_service.cancel(job.request.requested_by, job.id)
        self.services.redis.delete("scar:hold:shop", "scar:locks")
