"""The scene of the benchmarks: a whole SCAR with its bot, and the same project twice on a real
Engine.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any

from scar.bootstrap import Services, bootstrap
from scar.settings import Settings
from tests.support.botapi import BotApiServer
from tests.support.installation import Installation
from tests.support.sample import IMAGE, Sample

STABLE_SECONDS = 2
LOOK_SECONDS = 1.0
_PERSON = 1
ELSEWHERE = "elsewhere"
"""A host whose worker is the benchmark itself."""

_COMPOSE = f"""\
services:
  web:
    build: .
    stop_signal: KILL
    ports: ["PORT:8000"]
  ticker:
    image: {IMAGE}
    stop_signal: KILL
    command: ["sleep", "100000"]
"""


class BenchScene:
    """Use it as a context manager: SCAR is up, and both projects have been deployed once."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scar-bench-")
        folder = Path(self._folder.name)
        self.shop, self.twin = Sample(folder / "shop"), Sample(folder / "twin")
        for sample in (self.shop, self.twin):
            compose = _COMPOSE.replace("PORT", str(sample.port))
            (sample.workspace / "compose.yaml").write_text(compose)
            sample.page(f"First page of {sample.name}")
        self.token = secrets.token_urlsafe(16)
        self._telegram = BotApiServer()
        self.installation: Installation

    def __enter__(self) -> BenchScene:
        folder = Path(self._folder.name)
        self._telegram.__enter__()
        self.chat = self._telegram.private_chat(_PERSON, "Ann")
        self.installation = Installation(
            folder / "scar",
            SCAR_STABLE_SECONDS=str(STABLE_SECONDS),
            SCAR_API_TOKENS=f"bench:admin:{self.token}",
            SCAR_TELEGRAM_TOKEN="123:ABC",
            SCAR_TELEGRAM_API_URL=self._telegram.url,
            SCAR_TELEGRAM_USERS=f"{_PERSON}:admin",
            SCAR_ALERT_LOOK_SECONDS=str(LOOK_SECONDS),
        )
        self.installation.folder.mkdir()
        try:
            entry = self.shop.entry()
            told = {**entry, "alerts": [f"telegram:{_PERSON}"]}
            self._projects(shop=told)
            self.installation.up()
            # Only now: no SCAR is ready while a host of its projects has no worker.
            self._projects(shop=told, elsewhere={**entry, "host": ELSEWHERE})
            self.compose("up", "-d", "--build")
            self.require(self.do("deploy", confirm="yes"))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        with ExitStack() as ends:
            ends.callback(self._folder.cleanup)
            ends.callback(self.twin.remove)
            ends.callback(self.shop.remove)
            ends.callback(self._telegram.__exit__, None, None, None)
            ends.callback(self.installation.down)

    def _projects(self, **entries: dict[str, object]) -> None:
        self.installation.projects_file.write_text(json.dumps(entries))

    @property
    def services(self) -> Services:
        """The services of the API, in this process."""
        return bootstrap(Settings.load(self.installation.env, dotenv=None), "api")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def connection(self) -> HTTPConnection:
        """A connection to the API, to be kept."""
        return HTTPConnection("127.0.0.1", self.installation.port, timeout=60)

    def ask(self, http: HTTPConnection, kind: str, project: str = "shop", **more: str) -> str:
        """Makes a job; its id."""
        body = json.dumps({"kind": kind, "project": project, **more})
        http.request("POST", "/api/v1/jobs", body, self.headers)
        answer = http.getresponse()
        job: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 202, job
        return str(job["id"])

    def follow(self, http: HTTPConnection, id: str) -> dict[str, Any]:
        """The result event of a job, once its stream has ended."""
        result: dict[str, Any] = {}
        http.request("GET", f"/api/v1/jobs/{id}/events", headers=self.headers)
        with http.getresponse() as answer:
            kind = ""
            for line in answer:
                if line.startswith(b"event: "):
                    kind = line[7:].strip().decode()
                elif line.startswith(b"data: ") and kind == "result":
                    result = json.loads(line[6:])["data"]
        return result

    def do(self, kind: str, **more: str) -> dict[str, Any]:
        """Makes a job, and waits for its result over its event stream."""
        http = self.connection()
        try:
            return self.follow(http, self.ask(http, kind, **more))
        finally:
            http.close()

    def require(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result, where the job succeeded."""
        assert result.get("result"), (result, self.installation.log[-3000:])
        assert not result["error"], result
        return result

    def compose(self, *words: str) -> None:
        """`docker compose` with the twin."""
        command = ["docker", "compose", "-p", self.twin.name, *words]
        done = subprocess.run(command, cwd=self.twin.workspace, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
