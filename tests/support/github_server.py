"""emulate's GitHub behind a proxy that counts, disturbs, and supplies what emulate lacks.

emulate keeps users, issues, comments, Apps and webhooks. It has no reactions and no statuses, and
calls permissions by other names than GitHub does: these the proxy answers itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.stopwatch import Stopwatch

ROOT = Path(__file__).parents[2]
SECRET = "what-only-the-two-know"
REPOSITORY = "octocat/shop"
BOT = "scar-bot"
APP_ID = 4242
PEOPLE = ("octocat", "hubot", "reader", "stranger", BOT)
_PASSED = ("authorization", "content-type", "accept")


def token_of(login: str) -> str:
    """Return the token of `login`."""
    return f"token-of-{login}"


def places() -> dict[str, str]:
    """NODE, EMULATE and PAYLOADS, set up on first use."""
    done = subprocess.run(
        [ROOT / "tests/machine/github"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@dataclass
class Call:
    """A request that the proxy saw; `at` is seconds, when it was answered."""

    method: str
    path: str
    body: Any
    status: int
    at: float


@dataclass
class Fault:
    """A response that replaces the next `times` responses to requests that match `method` and
    `path` (a pattern).
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=lambda: {"message": "no"})
    times: int = 1


class GitHubServer:
    """One GitHub with one repository. `deliver_to` is where its webhooks go."""

    def __init__(self, deliver_to: str = "") -> None:
        self.deliver_to = deliver_to
        self.calls: list[Call] = []
        self.deliveries: list[tuple[dict[str, str], bytes, int, float]] = []
        self.faults: list[Fault] = []
        self.statuses: list[tuple[str, str, str, str]] = []
        self.reactions: list[tuple[str, str]] = []
        self.heads: dict[tuple[str, str], str] = {}
        self.permissions: dict[str, str] = {"octocat": "admin", "hubot": "write"}
        paths = places()
        owner, _, name = REPOSITORY.partition("/")
        seed = {
            "tokens": {
                token_of(login): {"login": login, "scopes": ["repo", "user", "admin:repo_hook"]}
                for login in PEOPLE
            },
            "github": {
                "users": [{"login": login, "name": login} for login in PEOPLE],
                "repos": [{"owner": owner, "name": name, "auto_init": True}],
                "apps": [
                    {
                        "app_id": APP_ID,
                        "slug": "scar",
                        "name": "SCAR",
                        "permissions": {"issues": "write", "metadata": "read"},
                        "installations": [{"installation_id": 100, "account": owner}],
                    }
                ],
            },
        }
        self._node = subprocess.Popen(
            [
                paths["NODE"],
                str(Path(__file__).with_name("emulate.mjs")),
                paths["EMULATE"],
                json.dumps(seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._node.stdout is not None
        said = json.loads(self._node.stdout.readline())
        self.app_key: str = said["key"]
        self._http = httpx.Client(base_url=said["url"], timeout=20, verify=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        hook = {
            "config": {"url": f"{self.url}/deliver", "content_type": "json", "secret": SECRET},
            "events": ["*"],
        }
        self.ask("octocat", "POST", f"/repos/{REPOSITORY}/hooks", hook)
        self.deliveries.clear()

    def ask(self, login: str, method: str, path: str, content: Any = None) -> Any:
        """Send a request to GitHub as a person."""
        headers = {"Authorization": f"Bearer {token_of(login)}"}
        answer = self._http.request(method, path, headers=headers, json=content)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def issue(self) -> int:
        """Create an issue; return its number."""
        issue = self.ask("octocat", "POST", f"/repos/{REPOSITORY}/issues", {"title": "A bug"})
        return int(issue["number"])

    def says(self, login: str, issue: int, text: str) -> int:
        """Write a comment as a person; return its id."""
        path = f"/repos/{REPOSITORY}/issues/{issue}/comments"
        return int(self.ask(login, "POST", path, {"body": text})["id"])

    def comments(self, issue: int, login: str = BOT) -> list[dict[str, Any]]:
        """Return the comments of `login` on the issue, oldest first."""
        path = f"/repos/{REPOSITORY}/issues/{issue}/comments?per_page=100"
        return [one for one in self.ask("octocat", "GET", path) if one["user"]["login"] == login]

    def wait_for(self, issue: int, text: str, seconds: float = 25.0) -> dict[str, Any]:
        """Wait for a comment of SCAR that contains `text`, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for comment in self.comments(issue):
                if text in comment["body"]:
                    return comment
            time.sleep(0.1)
        said = "\n---\n".join(comment["body"] for comment in self.comments(issue))
        raise AssertionError(f"nobody said {text!r}; said was:\n{said}")

    def writes(self, issue: int) -> list[Call]:
        """Return the successful requests with which SCAR has written or edited comments on the
        issue.
        """
        ids = "|".join(str(comment["id"]) for comment in self.comments(issue)) or "none"
        pattern = rf"/issues/{issue}/comments$|/issues/comments/({ids})$"
        return [
            call
            for call in self.calls
            if call.method in ("POST", "PATCH") and re.search(pattern, call.path)
        ]

    def stop(self) -> None:
        """Stop proxy and server."""
        self._server.shutdown()
        self._server.server_close()
        self._node.kill()
        self._node.wait()

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        content = json.loads(body) if body else None
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                self.calls.append(Call(method, path, content, fault.status, time.monotonic()))
                return fault.status, fault.headers, json.dumps(fault.body).encode()
        status, answer = self._own(method, path, content) or self._passed_on(
            method, path, headers, body
        )
        self.calls.append(Call(method, path, content, status, time.monotonic()))
        return status, {}, answer

    def _own(self, method: str, path: str, content: Any) -> tuple[int, bytes] | None:
        """Answer a request that emulate does not support."""
        if match := re.fullmatch(r"/repos/[^/]+/[^/]+/collaborators/([^/]+)/permission", path):
            permission = self.permissions.get(match[1], "read")
            return 200, json.dumps({"permission": permission}).encode()
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)/branches/(.+)", path):
            head = self.heads.get((match[1], match[2]))
            return (200 if head else 404), json.dumps({"commit": {"sha": head}}).encode()
        if method == "POST" and path.endswith("/reactions"):
            self.reactions.append((path.split("/")[-2], content["content"]))
            return 201, b"{}"
        if method == "POST" and (match := re.search(r"/statuses/([0-9a-f]+)$", path)):
            said = (match[1], content["context"], content["state"], content["description"])
            self.statuses.append(said)
            return 201, b"{}"
        return None

    def _passed_on(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        kept = {name: value for name, value in headers.items() if name.lower() in _PASSED}
        answer = self._http.request(method, path, headers=kept, content=body)
        return answer.status_code, answer.content

    def _deliver(self, headers: Mapping[str, str], body: bytes) -> int:
        """Hands a delivery on, as GitHub does: once, whether or not it arrives."""
        if not self.deliver_to:
            return 200
        kept = {
            name: value
            for name, value in headers.items()
            if name.lower().startswith("x-") or name.lower() == "content-type"
        }
        began = Stopwatch()
        try:
            answer = httpx.post(self.deliver_to, content=body, headers=kept, verify=False)
            status = answer.status_code
        except httpx.TransportError:
            status = 0
        self.deliveries.append((kept, body, status, began.seconds()))
        return status or 502

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers: Mapping[str, str] = {}
                answer = b""
                if self.path == "/deliver":
                    status = server._deliver(dict(self.headers), body)
                else:
                    status, headers, answer = server._answer(
                        self.command, self.path, dict(self.headers), body
                    )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _do

            def log_message(self, format: str, *args: Any) -> None:
                """The calls are kept, not printed."""

        return Handler
