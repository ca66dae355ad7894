"""Tells Redis that a worker listens for its host, and looks after the ledger meanwhile."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import structlog

from scar.errors import ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.queue import JobQueue
from scar.jobs.signing import Signatures
from scar.jobs.sweeper import Sweeper
from scar.project_origins import ProjectOrigins
from scar.projects import ProjectsFile
from scar.redis_client import connect, redis_errors
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.git.commit import origin_of
from workers.reconciler import Reconciler
from workers.state.job_log import JobLog

_INTERVAL = 3.0
_KEPT_MS = 10_000
_ENGINE_SECONDS = 2
_LOOKS = 5
"""So many signs of life are given for each word on which repositories the workspaces are of."""
_log = structlog.get_logger(__name__)


class Heartbeat:
    """Threads of the worker's main process: a sign of life, the sweeper, the reconciler.

    The sign is a member of the sorted set `scar:workers:<host>` whose score is the moment (in
    milliseconds) until which the worker counts as alive, and a hash `scar:worker:<id>` about it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._projects = ProjectsFile.of(settings)
        self._stopped = threading.Event()
        self._helpers: tuple[Sweeper | Reconciler, ...] = ()

    def start(self, pid: int) -> None:
        """Begins to tell; `pid` is the worker's main process."""
        worker = f"{self._settings.host}-{pid}-{int(time.time())}"
        threading.Thread(
            target=self._work, args=(worker, pid), name="heartbeat", daemon=True
        ).start()
        threading.Thread(target=self._tell_repositories, name="origins", daemon=True).start()
        url = self._settings.effective_redis_url
        queue = JobQueue(url, Signatures(self._settings.signing_key()))
        ledger = Ledger(connect(url))
        job_log = JobLog(self._settings.state_dir / "done")
        self._helpers = (Sweeper(ledger, queue), Reconciler(ledger, queue, job_log))
        for helper in self._helpers:
            helper.start()

    def stop(self) -> None:
        """No new sign is given; the last one runs out."""
        self._stopped.set()
        for helper in self._helpers:
            helper.stop()

    def _work(self, worker: str, pid: int) -> None:
        redis = connect(self._settings.effective_redis_url)
        # One that hangs must not keep the next sign of life.
        engine = Engine(self._settings.docker_host, timeout=_ENGINE_SECONDS)
        about: dict[Any, Any] = {
            "host": self._settings.host,
            "pid": str(pid),
            "started_at": str(int(time.time())),
        }
        key = f"scar:workers:{self._settings.host}"
        while True:
            about["engine"] = json.dumps(_engine(engine))
            try:
                with redis_errors():
                    pipe = redis.pipeline()
                    if self._stopped.is_set():
                        pipe.zrem(key, worker)
                        pipe.delete(f"scar:worker:{worker}")
                    else:
                        seconds, _ = redis.time()
                        now = seconds * 1000  # Redis' clock: the scripts compare with it
                        pipe.sadd("scar:hosts", self._settings.host)
                        pipe.zremrangebyscore(key, "-inf", now - _KEPT_MS)
                        pipe.zadd(key, {worker: now + _KEPT_MS})
                        pipe.hset(f"scar:worker:{worker}", mapping=about)
                        pipe.pexpire(f"scar:worker:{worker}", 2 * _KEPT_MS)
                    pipe.execute()
            except ScarError as error:
                _log.warning("no sign of life", reason=error.message)
            if self._stopped.is_set():
                return
            self._stopped.wait(_INTERVAL)

    def _tell_repositories(self) -> None:
        """Apart from the signs of life: a workspace on a disk that hangs must not keep those."""
        repositories = ProjectOrigins(connect(self._settings.effective_redis_url))
        while True:
            try:
                repositories.report(self._origins())
            except ScarError as error:
                _log.warning("repositories not told", reason=error.message)
            if self._stopped.wait(_LOOKS * _INTERVAL):
                return

    def _origins(self) -> dict[str, str | None]:
        """The repository of each workspace of this host."""
        return {
            project.name: origin_of(project.workspace)
            for project in self._projects.projects.values()
            if project.host == self._settings.host
        }


def _engine(engine: Engine) -> dict[str, str]:
    try:
        return {"version": engine.version()}
    except ScarError as error:
        return {"error": error.message}
