"""The page in this process, and browsers that visit it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import fakeredis
import pytest
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from scar.access import Actor
from scar.api.app import create_app
from scar.api.page import job_views
from scar.api.page.parts import EXTENSION, PageParts
from scar.api.page.young_answers import YoungAnswers
from scar.bootstrap import Services, bootstrap
from scar.jobs.record import Job
from scar.jobs.sign_in_links import SignInLinks
from scar.settings import Settings
from tests.contract.conftest import RecordedQueue
from tests.support.acting_worker import ActingClaim, ActingWorker

HOST = "http://localhost"
TOKENS = {name: f"{name}-secret-000001" for name in ("viewer", "operator", "admin", "nobody")}

_BLOGGERS = {
    "viewer": ["telegram:77"],
    "operator": ["telegram:78"],
    "admin": ["telegram:79"],
}


class Browser:
    """A browser that visits the page: it keeps the cookie, and sends forms as the page makes
    them.
    """

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self._csrf = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, data: dict[str, str], **headers: str) -> TestResponse:
        sent = {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.client.post(path, data=data, headers=sent)

    def sign_in(self, name: str) -> TestResponse:
        return self.post("/sign-in", {"token": TOKENS[name]})

    def csrf(self) -> str:
        """Return the token in the forms of this browser's session."""
        if not self._csrf:
            made = re.search(r'name="csrf" value="([^"]+)"', self.get("/sessions").text)
            assert made
            self._csrf = made[1]
        return self._csrf

    def send(self, path: str, **data: str) -> TestResponse:
        """Send a form of the page."""
        return self.post(path, {"csrf": self.csrf(), **data})

    def say(self, text: str, key: str = "") -> TestResponse:
        """Tap a button that runs a command."""
        return self.send("/commands", text=text, key=key or text)


@pytest.fixture
def redis() -> Redis:
    """An empty Redis, emulated: the scripts are tried on a real one elsewhere."""
    return cast("Redis", fakeredis.FakeRedis(decode_responses=True))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """`shop` and `blog`; tokens of each role, and people of Telegram."""
    projects = {
        name: {
            "workspace": str(tmp_path / name / "workspace"),
            "production": str(tmp_path / name / "production"),
            "containers": [f"{name}-web"],
            "roles": _BLOGGERS if name == "blog" else {},
        }
        for name in ("shop", "blog")
    }
    (tmp_path / "projects.json").write_text(json.dumps(projects))
    tokens = [f"{name}:{name}:{TOKENS[name]}" for name in ("viewer", "operator", "admin")]
    env = {
        "SCAR_PROJECTS_FILE": str(tmp_path / "projects.json"),
        "SCAR_STATE_DIR": str(tmp_path / "state"),
        "SCAR_SECRET_KEY": "a key that only tests know",
        "SCAR_TELEGRAM_USERS": "1:operator,9:admin",
        "SCAR_API_TOKENS": ",".join(tokens),
        "SCAR_WAIT_SECONDS": "0",
        "SCAR_PAGE_URL": HOST,
    }
    return Settings.load(env, dotenv=None)


@pytest.fixture
def services(
    redis: Redis, queue: RecordedQueue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Services:
    """The parts that the API has."""
    monkeypatch.setattr("scar.bootstrap.connect", lambda *_, **__: redis)
    monkeypatch.setattr("scar.api.app.connect", lambda *_, **__: redis)
    monkeypatch.setattr("scar.bootstrap.JobQueue", lambda *_: queue)
    return bootstrap(settings, "api")


@pytest.fixture
def bot(settings: Settings, services: Services) -> Services:  # noqa: ARG001  after it
    """The parts that the Telegram bot has."""
    return bootstrap(settings, "telegram")


@pytest.fixture
def worker(services: Services) -> ActingWorker:
    made = ActingWorker(services)
    made.alive()
    return made


@pytest.fixture
def link(bot: Services) -> Callable[[str], str]:
    """`link("1")`: the code of a link for a person of Telegram."""
    links = SignInLinks(bot.redis, bot.signatures)
    return lambda id: links.issue(Actor("telegram", id, f"Person {id}"))


@pytest.fixture
def browser(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Browser]]:
    """`browser("viewer")`: a browser in which somebody is signed in; `browser()`: nobody."""
    # No worker here looks after a deploy: a stream would wait for that.
    monkeypatch.setattr(job_views, "BAKE_BEGINS_MS", 0)
    application = create_app(services)
    parts: PageParts = application.extensions[EXTENSION]
    # The clock stands still, so that cached answers do not expire on a slow machine.
    application.extensions[EXTENSION] = replace(parts, answers=YoungAnswers(lambda: 0.0))

    def opened(name: str | None = None) -> Browser:
        browser = Browser(application.test_client())
        if name is not None:
            assert browser.sign_in(name).status_code == 303
        return browser

    yield opened
    application.extensions["scar"].events.close()


@pytest.fixture
def job(services: Services, worker: ActingWorker) -> Job:  # noqa: ARG001
    """A deploy that somebody has asked for and confirmed."""
    project = services.projects.get("shop")
    command = services.job_service.commands["deploy"]
    return services.job_service.submit(
        Actor("web", "operator", "operator"), command, project, {}, confirmed=True
    )


@pytest.fixture
def claim(worker: ActingWorker, job: Job) -> ActingClaim:
    return worker.claim(job.id)
