"""The faults that are injected while a job of the shop runs."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scar.client import ApiUnreachable
from scar.errors import ScarError
from scar.jobs.queue import JobQueue
from scar.jobs.record import Job
from scar.jobs.signing import Signatures
from scar.redis_client import connect
from scar.settings import Settings
from tests.support.deploy_scene import DeployScene

from .engine import PrivateEngine

_LEASE_OVER = 13.0
_DISK_FULL_SECONDS = 6.0
ENGINE_FAULTS = ("engine kill -9", "engine stopped")


class Faults:
    """The faults of one shop, by name; those of the Engine only where it is the shop's own.

    `removed` is the container that the last one took away, perhaps once the job had ended.
    """

    def __init__(
        self, scene: DeployScene, state: Path, engine: PrivateEngine | None, chance: random.Random
    ) -> None:
        self.scene = scene
        self.removed = ""
        self._state = state
        self._engine = engine
        self._chance = chance
        self.by_name: dict[str, Callable[[Job], None]] = {
            "worker kill -9": lambda _: scene.kill_worker(),
            "pool process kill -9": lambda _: self.kill_pool(),
            "worker stopped": self._stop_worker,
            "pool process stopped": self._stop_pool,
            "redis kill -9": self._kill_redis,
            "redis emptied": self._empty_redis,
            "api kill -9": lambda _: scene.installation.kill_all("scar.cli api"),
            "build or up killed": self._kill_compose,
            "notified again": self._notify_again,
            "second deploy": self._ask_again,
            "state disk full": self._fill_disk,
            "cancelled": self._cancel,
            "container removed": self._remove_container,
            "nothing": lambda _: None,
        }
        if engine is not None:
            self.by_name |= dict(
                zip(ENGINE_FAULTS, (self._kill_engine, self._end_engine), strict=True)
            )

    def kill_pool(self) -> None:
        """kill -9 of the processes that do the jobs."""
        for pid in self.scene.pool():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _kill_engine(self, _: Job) -> None:
        assert self._engine
        self._engine.kill()
        self._start_engine()

    def _end_engine(self, _: Job) -> None:
        assert self._engine
        self._engine.end()
        self._start_engine()

    def _start_engine(self) -> None:
        assert self._engine
        time.sleep(self._chance.uniform(0.0, 5.0))
        self._engine.up()

    def _stop_worker(self, _: Job) -> None:
        processes = self.scene.installation.processes()
        self._stop([pid for pid, command in processes.items() if "celery" in command])

    def _stop_pool(self, _: Job) -> None:
        self._stop(self.scene.pool())

    def _stop(self, pids: list[int]) -> None:
        """Stop the processes with SIGSTOP for longer than the lease; another thread sends
        SIGCONT.
        """
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(_LEASE_OVER)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _kill_redis(self, _: Job) -> None:
        self.scene.installation.kill("redis.sock")

    def _empty_redis(self, _: Job) -> None:
        connect(self.scene.installation.redis_url).flushall()

    def _kill_compose(self, _: Job) -> None:
        for pid, command in self.scene.installation.processes().items():
            if "compose" in command and "celery" not in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _notify_again(self, job: Job) -> None:
        settings = Settings.load(self.scene.installation.env, None)
        queue = JobQueue(settings.effective_redis_url, Signatures.of(settings, "api"))
        for _ in range(3):
            queue.notify("default", job.id)

    def _ask_again(self, _: Job) -> None:
        """Submit another deploy, which is refused while the first one runs; if that has ended,
        cancel it at once.
        """
        with contextlib.suppress(ApiUnreachable, ScarError):
            self._cancel(self.scene.ask("deploy", confirm=False))

    def _fill_disk(self, _: Job) -> None:
        ballast = self._state / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            room = os.statvfs(self._state)
            file.write(b"x" * (room.f_bavail * room.f_frsize))
        threading.Timer(_DISK_FULL_SECONDS, ballast.unlink).start()

    def _cancel(self, job: Job) -> None:
        with contextlib.suppress(ScarError):
            self.scene.api.request("POST", f"/jobs/{job.id}/cancel")

    def _remove_container(self, _: Job) -> None:
        name = f"{self.scene.name}-side-1"
        self.removed = f"/{name}"
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
