"""A real Redis, a real API server in a process of its own, and the worker's side of the ledger."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import RedisError

from scar.jobs.ledger import Claim
from scar.jobs.record import JobState
from scar.wiring import Wiring

TOKENS = {
    "root": "root-secret-000001",
    "ci": "ci-secret-00000002",
    "phone": "phone-secret-00003",
}


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return the value of `true()` once it is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {true}"
        time.sleep(0.01)
    return value


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisProcess:
    """A redis-server that syncs every write before it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync always --save"
        self.process = subprocess.Popen(
            ["redis-server", *words.split(), "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )
        with Redis(port=self.port) as client:
            until(lambda: _answers(client))

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


class ApiProcess:
    """`scar.api.server.serve` in a process group of its own, whose stderr goes into `log`."""

    def __init__(self, env: dict[str, str], log: Path | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {**os.environ, **env, "SCAR_API_BIND": f"127.0.0.1:{self.port}"}
        self.log = log
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        code = (
            "from scar.api.server import serve; from scar.settings import Settings; "
            "serve(Settings.load(dotenv=None))"
        )
        with ExitStack() as stack:
            stderr = stack.enter_context(self.log.open("ab")) if self.log else None
            self.process = subprocess.Popen(
                [sys.executable, "-c", code], env=self.env, stderr=stderr, start_new_session=True
            )
        until(self.answers)

    def answers(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Send SIGKILL to arbiter and worker."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Send SIGTERM and wait until it has ended."""
        self.process.terminate()
        self.process.wait(60)


@dataclass
class ActingWorker:
    """The worker's side of the ledger, driven by the test."""

    wiring: Wiring

    def claim(self, id: str) -> ActingClaim:
        """Claim a job, to run or to plan it."""
        claim = self.wiring.ledger.claim(id, "test", uuid4().hex)
        assert claim is not None
        return ActingClaim(self.wiring, claim)

    def alive(self, host: str = "default") -> None:
        """Write a heartbeat that counts for 10 seconds."""
        redis = self.wiring.redis
        redis.sadd("scar:hosts", host)
        redis.zadd(f"scar:workers:{host}", {f"{host}-1": int(time.time() * 1000) + 10_000})
        about = {"host": host, "pid": "1", "started_at": "1760000000", "engine": '{"version":"28"}'}
        redis.hset(f"scar:worker:{host}-1", mapping=about)  # type: ignore[arg-type]


@dataclass
class ActingClaim:
    """A job that `ActingWorker` has claimed."""

    wiring: Wiring
    claim: Claim
    batch: int = 0

    def say(
        self,
        *events: tuple[str, dict[str, Any]],
        final: JobState | None = None,
        fields: dict[str, Any] | None = None,
    ) -> None:
        """Write events, and how the job ended."""
        self.batch += 1
        texts = [(kind, json.dumps(data)) for kind, data in events]
        written = {name: json.dumps(value) for name, value in (fields or {}).items()}
        assert self.wiring.ledger.report(
            self.claim.id, self.claim.fence, self.batch, texts, written, final=final
        )

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease every second, as a worker does, so that no slow step loses the job."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(1.0):
                self.wiring.ledger.renew(self.claim.id, self.claim.fence)

        thread = threading.Thread(target=renew)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def lines(self, *texts: str) -> None:
        """Write lines of output."""
        self.say(*[("output", {"line": text}) for text in texts])

    def succeed(self, result: dict[str, Any]) -> None:
        """End the job with a result."""
        event = ("result", {"result": result, "error": None})
        self.say(event, final=JobState.SUCCEEDED, fields={"result": result})

    def fail(self, code: str, message: str, hint: str) -> None:
        """End the job with an error."""
        error = {"code": code, "message": message, "hint": hint}
        event = ("result", {"result": None, "error": error})
        self.say(event, final=JobState.FAILED, fields={"error": error})

    def plan(self, plan: dict[str, Any]) -> None:
        """End the planning of the job, which then awaits its confirmation."""
        self.batch += 1
        fields = {"plan_shown": json.dumps(plan), "plan": "sealed", "plan_hash": plan["hash"]}
        assert self.wiring.ledger.report(
            self.claim.id,
            self.claim.fence,
            self.batch,
            [],
            fields,
            final=JobState.AWAITING_CONFIRMATION,
        )


def bearer(name: str) -> dict[str, str]:
    """Return the header with a token of `TOKENS`."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


class Caller:
    """Calls the application in this process, with a token or without."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self._headers, **options.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, **options)
