"""A real Redis, a real API server in a process of its own, and the worker's side of the ledger."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import RedisError

from scar.bootstrap import Services
from scar.jobs.claim import Claim
from scar.jobs.record import JobState

TOKENS = {
    "root": "root-secret-000001",
    "ci": "ci-secret-00000002",
    "phone": "phone-secret-00003",
}


def until(true: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What `true` gives once it gives something; a failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {true}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisProcess:
    """A redis-server that writes everything down before it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        words = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync always --save"
        self.process = subprocess.Popen(
            ["redis-server", *words.split(), "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )
        with Redis(port=self.port) as client:
            until(lambda: _answers(client))

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


class ApiProcess:
    """`scar.api.server.serve` in a process group of its own."""

    def __init__(self, env: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {**os.environ, **env, "SCAR_API_BIND": f"127.0.0.1:{self.port}"}
        self.start()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        code = (
            "from scar.api.server import serve; from scar.settings import Settings; "
            "serve(Settings.load(dotenv=None))"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], env=self.env, start_new_session=True
        )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9, arbiter and worker."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> float:
        """SIGTERM; the seconds until it has ended."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(30)
        return time.monotonic() - began


@dataclass
class ActingWorker:
    """The worker's side of the ledger, done by hand."""

    services: Services

    def claim(self, id: str) -> ActingClaim:
        """Takes a job, to run or to plan."""
        found = self.services.ledger.claim(id, "test", uuid4().hex)
        assert found is not None
        return ActingClaim(self.services, found)

    def alive(self, host: str = "default") -> None:
        """A sign of life for the next 10 seconds."""
        redis = self.services.redis
        redis.sadd("scar:hosts", host)
        redis.zadd(f"scar:workers:{host}", {f"{host}-1": int(time.time() * 1000) + 10_000})
        about = {"host": host, "pid": "1", "started_at": "1760000000", "engine": '{"version":"28"}'}
        redis.hset(f"scar:worker:{host}-1", mapping=about)  # type: ignore[arg-type]


@dataclass
class ActingClaim:
    """A job in the hands of `ActingWorker`."""

    services: Services
    claim: Claim
    batch: int = 0

    def say(
        self,
        *events: tuple[str, dict[str, Any]],
        final: JobState | None = None,
        fields: dict[str, Any] | None = None,
    ) -> None:
        """Writes events, and how it ended."""
        self.batch += 1
        texts = [(kind, json.dumps(data)) for kind, data in events]
        kept = {name: json.dumps(value) for name, value in (fields or {}).items()}
        assert self.services.ledger.report(
            self.claim.id, self.claim.fence, self.batch, texts, kept, final=final
        )

    def lines(self, *texts: str) -> None:
        """Writes output."""
        self.say(*[("output", {"line": text}) for text in texts])

    def succeed(self, result: dict[str, Any]) -> None:
        """Ends well."""
        said = ("result", {"result": result, "error": None})
        self.say(said, final=JobState.SUCCEEDED, fields={"result": result})

    def fail(self, code: str, message: str, hint: str) -> None:
        """Ends with an error."""
        error = {"code": code, "message": message, "hint": hint}
        said = ("result", {"result": None, "error": error})
        self.say(said, final=JobState.FAILED, fields={"error": error})

    def plan(self, plan: dict[str, Any]) -> None:
        """Ends planning: the question can be asked."""
        self.batch += 1
        fields = {"plan_shown": json.dumps(plan), "plan": "sealed", "plan_hash": plan["hash"]}
        assert self.services.ledger.report(
            self.claim.id,
            self.claim.fence,
            self.batch,
            [],
            fields,
            final=JobState.AWAITING_CONFIRMATION,
        )


def bearer(name: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


class Caller:
    """Calls the application in this process, as one of the tokens or not at all."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self._headers, **options.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, **options)
