"""A real Redis, a real API server in a process of its own, and the worker's side of the ledger."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import RedisError

from scar.access import Actor
from scar.api.app import create_app
from scar.jobs.ledger import Claim
from scar.jobs.record import JobState
from scar.settings import Settings
from scar.wiring import Wiring, wire

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

    wiring: Wiring

    def claim(self, id: str) -> ActingClaim:
        """Takes a job, to run or to plan."""
        found = self.wiring.ledger.claim(id, "test", uuid4().hex)
        assert found is not None
        return ActingClaim(self.wiring, found)

    def alive(self, host: str = "default") -> None:
        """A sign of life for the next 10 seconds."""
        redis = self.wiring.redis
        redis.sadd("scar:hosts", host)
        redis.zadd(f"scar:workers:{host}", {f"{host}-1": int(time.time() * 1000) + 10_000})
        about = {"host": host, "pid": "1", "started_at": "1760000000", "engine": '{"version":"28"}'}
        redis.hset(f"scar:worker:{host}-1", mapping=about)  # type: ignore[arg-type]


@dataclass
class ActingClaim:
    """A job in the hands of `ActingWorker`."""

    wiring: Wiring
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
        assert self.wiring.ledger.report(
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
        assert self.wiring.ledger.report(
            self.claim.id,
            self.claim.fence,
            self.batch,
            [],
            fields,
            final=JobState.AWAITING_CONFIRMATION,
        )


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """One Redis for all of these tests."""
    found = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield found
    found.kill()


@pytest.fixture(scope="session")
def env(redis_process: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings: `shop` on the host `default`, `blog` on `far`, and three tokens."""
    folder = tmp_path_factory.mktemp("scar")
    projects = {
        name: {
            "workspace": str(folder / name / "workspace"),
            "production": str(folder / name / "production"),
            "containers": [f"{name}-web", f"{name}-db"],
            "host": host,
            "roles": {"viewer": ["telegram:77"]} if name == "blog" else {},
        }
        for name, host in (("shop", "default"), ("blog", "far"))
    }
    (folder / "projects.json").write_text(json.dumps(projects))
    tokens = [("root", "admin"), ("ci", "operator"), ("phone", "viewer")]
    return {
        "SCAR_REDIS_URL": redis_process.url,
        "SCAR_PROJECTS_FILE": str(folder / "projects.json"),
        "SCAR_STATE_DIR": str(folder / "state"),
        "SCAR_SECRET_KEY": "a key that only the tests know",
        "SCAR_API_TOKENS": ",".join(f"{name}:{role}:{TOKENS[name]}" for name, role in tokens),
        "SCAR_WAIT_SECONDS": "2",
    }


@pytest.fixture(scope="session")
def wiring(env: dict[str, str]) -> Wiring:
    """The same parts as the API has, in this process."""
    return wire(Settings.load(env, dotenv=None))


@pytest.fixture(autouse=True)
def _empty_redis(wiring: Wiring) -> None:
    wiring.redis.flushdb()


@pytest.fixture
def worker(wiring: Wiring) -> ActingWorker:
    """A worker on `default` and one on `far`, alive."""
    found = ActingWorker(wiring)
    found.alive("default")
    found.alive("far")
    return found


@pytest.fixture(scope="session")
def server(env: dict[str, str]) -> Iterator[ApiProcess]:
    """A server for the tests that leave it running."""
    found = ApiProcess(env)
    yield found
    found.kill()


@pytest.fixture
def own_server(env: dict[str, str]) -> Iterator[ApiProcess]:
    """A server to be killed or stopped."""
    found = ApiProcess(env)
    yield found
    if found.process.poll() is None:
        found.kill()


def bearer(name: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


@pytest.fixture
def api(server: ApiProcess) -> Iterator[httpx.Client]:
    """An admin's client of the live server."""
    with httpx.Client(
        base_url=f"{server.url}/api/v1", headers=bearer("root"), timeout=20.0
    ) as client:
        yield client


class Caller:
    """Calls the application in this process, as one of the tokens or not at all."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self._headers, **options.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, **options)


@pytest.fixture(scope="session")
def flask_client(wiring: Wiring) -> FlaskClient:
    """The application in this process."""
    return create_app(wiring).test_client()


@pytest.fixture
def call(flask_client: FlaskClient) -> Callable[[str | None], Caller]:
    """`call("root")("GET", "/api/v1/jobs")`, or `call(None)` without a token."""
    return lambda name: Caller(flask_client, TOKENS.get(name, name) if name else None)


@pytest.fixture
def as_actor(flask_client: FlaskClient, wiring: Wiring) -> Callable[[Actor], Caller]:
    """Somebody whom a front-end speaks for."""
    from scar.client import service_token

    return lambda actor: Caller(
        flask_client, service_token(wiring.signatures, actor, time.time())
    )
