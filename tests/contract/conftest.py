"""The parts of a front-end in this process, on an emulated Redis and on a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import fakeredis
import pytest
from redis import Redis
from werkzeug.serving import make_server

from scar.access import Actor
from scar.api.app import create_app
from scar.bootstrap import Services, bootstrap
from scar.commands import job_commands
from scar.jobs.record import Job
from scar.redis_client import connect
from scar.settings import Settings
from tests.support.acting_worker import ActingWorker
from tests.support.redis_process import RedisProcess


class RecordedQueue:
    """A producer whose wake-ups are kept instead of sent."""

    def __init__(self) -> None:
        self.wakeups: list[tuple[str, str]] = []

    def notify(self, host: str, id: str) -> bool:
        self.wakeups.append((host, id))
        return True


@pytest.fixture(scope="package")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    made = RedisProcess(tmp_path_factory.mktemp("contract"))
    yield made
    made.kill()


@pytest.fixture
def real_redis(redis_process: RedisProcess) -> Redis:
    """An empty Redis on a real server."""
    client = connect(redis_process.url)
    client.flushdb()
    return client


@pytest.fixture(
    params=["emulated", pytest.param("real", marks=[pytest.mark.redis, pytest.mark.slow])]
)
def redis(request: pytest.FixtureRequest) -> Redis:
    """An empty Redis."""
    if request.param == "emulated":
        return cast("Redis", fakeredis.FakeRedis(decode_responses=True))
    client: Redis = request.getfixturevalue("real_redis")
    return client


@pytest.fixture
def queue() -> RecordedQueue:
    return RecordedQueue()


@pytest.fixture
def services(
    redis: Redis, queue: RecordedQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Services:
    """Return the services of a front-end, with `shop` as the only project."""
    projects = tmp_path / "projects.json"
    folders = {what: str(tmp_path / what) for what in ("workspace", "production")}
    projects.write_text(json.dumps({"shop": {**folders, "containers": ["web"]}}))
    monkeypatch.setattr("scar.bootstrap.connect", lambda *_, **__: redis)
    monkeypatch.setattr("scar.api.app.connect", lambda *_, **__: redis)
    monkeypatch.setattr("scar.bootstrap.JobQueue", lambda *_: queue)
    env = {
        "SCAR_PROJECTS_FILE": str(projects),
        "SCAR_STATE_DIR": str(tmp_path / "state"),
        "SCAR_SECRET_KEY": "a key that only tests know",
        "SCAR_TELEGRAM_USERS": "1:operator",
        "SCAR_API_TOKENS": "test:admin:a-secret-of-tests-1",
    }
    return bootstrap(Settings.load(env, dotenv=None), "telegram")


@pytest.fixture
def worker(services: Services) -> ActingWorker:
    made = ActingWorker(services)
    made.alive()
    return made


@pytest.fixture
def operator() -> Actor:
    return Actor("telegram", "1", "Olga")


@pytest.fixture
def ask(services: Services, operator: Actor) -> Callable[..., Job]:
    """`ask("deploy", confirmed=True)`: submit a job of the shop."""

    def submit(kind: str, *, confirmed: bool = False, key: str | None = None) -> Job:
        return services.job_service.submit(
            operator,
            job_commands()[kind],
            services.projects.get("shop"),
            {},
            confirmed=confirmed,
            idempotency_key=key,
        )

    return submit


@pytest.fixture
def api_url(services: Services) -> Iterator[str]:
    """Serve the API from this process."""
    own = bootstrap(services.settings, "api")
    assert own.projects.problem is None
    application = create_app(own)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    application.extensions["scar"].events.close()
