"""What the tests of the API share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient

from scar.access import Actor
from scar.access.rate_limit import Rate, RateLimit
from scar.api.app import create_app
from scar.api.limits import RequestLimits
from scar.bootstrap import Services, bootstrap
from scar.settings import Settings
from tests.support.acting_worker import ActingWorker
from tests.support.keys import front_end_token
from tests.support.live_api import TOKENS, ApiProcess, Caller, bearer
from tests.support.redis_process import RedisProcess


@pytest.fixture(scope="package")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """One Redis for the whole session."""
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield process
    process.kill()


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def services(env: dict[str, str]) -> Services:
    """The services of the API in this process."""
    return bootstrap(Settings.load(env, dotenv=None), "api")


@pytest.fixture(autouse=True)
def _empty_redis(services: Services) -> None:
    services.redis.flushdb()


@pytest.fixture
def worker(services: Services) -> ActingWorker:
    """A live worker on `default` and one on `far`."""
    worker = ActingWorker(services)
    worker.alive("default")
    worker.alive("far")
    return worker


@pytest.fixture(scope="package")
def server(env: dict[str, str]) -> Iterator[ApiProcess]:
    """A server that all tests share, and that no test stops."""
    server = ApiProcess(env)
    yield server
    server.kill()


@pytest.fixture
def own_server(env: dict[str, str], tmp_path: Path) -> Iterator[ApiProcess]:
    """A server of this test's own, which it may kill or stop."""
    server = ApiProcess(env, tmp_path / "api.log")
    yield server
    if server.process.poll() is None:
        server.kill()


@pytest.fixture
def api(server: ApiProcess) -> Iterator[httpx.Client]:
    """An admin's client of the live server."""
    with httpx.Client(
        base_url=f"{server.url}/api/v1", headers=bearer("root"), timeout=20.0, verify=False
    ) as client:
        yield client


@pytest.fixture(scope="package")
def flask_client(services: Services) -> Iterator[FlaskClient]:
    """The application in this process, for more requests than one client may send."""
    ample = Rate(per_minute=60_000, burst=1_000_000)
    limits = RequestLimits(RateLimit(ample), RateLimit(ample))
    application = create_app(services, limits=limits)
    yield application.test_client()
    application.extensions["scar"].events.close()


@pytest.fixture
def call(flask_client: FlaskClient) -> Callable[[str | None], Caller]:
    """`call("root")("GET", "/api/v1/jobs")`, or `call(None)` without a token."""

    def caller(name: str | None) -> Caller:
        token = TOKENS.get(name, name) if name else None
        return Caller(flask_client, None if token is None else lambda *_: token)

    return caller


@pytest.fixture
def as_actor(flask_client: FlaskClient, services: Services) -> Callable[[Actor], Caller]:
    """`as_actor(actor)`: calls with the service token that a front-end makes for a person."""
    return lambda actor: Caller(flask_client, front_end_token(services.settings, actor))
