"""The API: a real server in a process of its own, and the application in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from flask.testing import FlaskClient

from scar.client import TokenSource
from tests.support.waiting import eventually, free_port

TOKENS = {
    "root": "root-secret-000001",
    "ci": "ci-secret-00000002",
    "phone": "phone-secret-00003",
}


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
        eventually(self.answers, "the API answers")

    def answers(self) -> bool:
        """Return whether the API answers."""
        try:
            return httpx.get(f"{self.url}/healthz", verify=False).is_success
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


def bearer(name: str) -> dict[str, str]:
    """Return the authorization header with a client's token."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


class Caller:
    """Calls the application in this process, with a token or without one."""

    def __init__(self, client: FlaskClient, token: TokenSource | None) -> None:
        self._client = client
        self._token = token

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = options.pop("headers", {})
        if self._token is not None:
            asked = path.removeprefix("/api/v1").partition("?")[0]
            token = self._token(method, asked, options.get("json"))
            headers = {"Authorization": f"Bearer {token}", **headers}
        return self._client.open(path, method=method, headers=headers, **options)
