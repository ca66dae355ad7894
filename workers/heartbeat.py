"""Reports to Redis that this worker is alive and takes jobs of its host."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import structlog
from redis import Redis

from scar.errors import ScarError
from scar.jobs.host_reports import HostReports
from scar.jobs.signing import Signatures
from scar.projects import ProjectsFile
from scar.redis_client import connect, redis_errors, redis_time_ms
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.project_containers import known_names, ownership_problems

_INTERVAL = 3.0
_KEPT_MS = 10_000
_ENGINE_SECONDS = 2
_log = structlog.get_logger(__name__)


class Heartbeat:
    """A thread that every 3 seconds reports that the worker in process `pid` is alive.

    The sorted set `scar:workers:<host>` contains the worker's id, with the time (in milliseconds)
    until which it counts as alive as the score. The hash `scar:worker:<id>` describes the worker.
    """

    def __init__(self, settings: Settings, signatures: Signatures, pid: int) -> None:
        self._settings = settings
        self._signatures = signatures
        self._projects = ProjectsFile.of(settings)
        started = str(int(time.time()))
        self._worker = f"{settings.host}-{pid}-{started}"
        self._about: dict[Any, Any] = {
            "host": settings.host,
            "pid": str(pid),
            "started_at": started,
        }
        self._keys_problem = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread that sends heartbeats."""
        self._thread.start()

    def stop(self) -> None:
        """Report that the worker has ended, and end the thread."""
        self._stopped.set()

    def _work(self) -> None:
        redis = connect(self._settings.effective_redis_url)
        # In a separate thread, since an Engine that hangs must not delay the next heartbeat.
        engine = Engine(self._settings.docker_host, timeout=_ENGINE_SECONDS)
        while True:
            stopped = self._stopped.is_set()
            try:
                with redis_errors():
                    if stopped:
                        self._leave(redis)
                    else:
                        state = _state(engine)
                        self._beat(redis, self._describe(state))
                        if "error" not in state:
                            self._report(redis, engine)
            except ScarError as error:
                _log.warning("no sign of life", reason=error.message)
            except Exception:  # noqa: BLE001 (without this thread the host counts as away)
                _log.exception("no sign of life")
            if stopped:
                return
            self._stopped.wait(_INTERVAL)

    def _describe(self, engine: Mapping[str, str]) -> dict[Any, Any]:
        about = {**self._about, "engine": json.dumps(engine)}
        try:
            about["keys"] = json.dumps(self._signatures.known_keys())
            self._keys_problem = ""
        except ScarError as error:
            # The host still takes jobs; only `scar doctor` does not learn which keys it knows.
            if error.message != self._keys_problem:
                self._keys_problem = error.message
                _log.warning("keys not reported", reason=error.message)
        return about

    @property
    def _workers(self) -> str:
        return f"scar:workers:{self._settings.host}"

    def _beat(self, redis: Redis, about: dict[Any, Any]) -> None:
        now = redis_time_ms(redis)
        pipe = redis.pipeline()
        pipe.sadd("scar:hosts", self._settings.host)
        pipe.zremrangebyscore(self._workers, "-inf", now - _KEPT_MS)
        pipe.zadd(self._workers, {self._worker: now + _KEPT_MS})
        pipe.hset(f"scar:worker:{self._worker}", mapping=about)
        pipe.pexpire(f"scar:worker:{self._worker}", 2 * _KEPT_MS)
        pipe.execute()

    def _report(self, redis: Redis, engine: Engine) -> None:
        """Tell which containers this host's projects have, and what is wrong with them."""
        host = self._settings.host
        projects = [p for p in self._projects.projects.values() if p.host == host]
        everything = Containers(engine).all() if projects else []
        problems = ownership_problems(everything, projects)
        records = {name: problem.record() for name, problem in problems.items()}
        names = {project.name: known_names(everything, project) for project in projects}
        HostReports(redis, self._signatures).publish(host, records, names)

    def _leave(self, redis: Redis) -> None:
        pipe = redis.pipeline()
        pipe.zrem(self._workers, self._worker)
        pipe.delete(f"scar:worker:{self._worker}")
        pipe.execute()


def _state(engine: Engine) -> dict[str, str]:
    try:
        return {"version": engine.version()}
    except ScarError as error:
        return {"error": error.message}
