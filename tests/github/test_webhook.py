"""What is believed of a delivery, and that nothing else makes a job or an error of ours."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from scar.jobs.github_delivery import from_letter
from scar.jobs.inbox import Inbox
from scar.json_object import JsonObject
from scar.redis_client import connect
from tests.support.github_server import places
from tests.support.keys import signatures_of
from tests.support.live_api import ApiProcess
from tests.support.redis_process import RedisProcess
from tests.support.stopwatch import Stopwatch

SECRET = "what-only-the-two-know"
LIMIT_SECONDS = 1.0


KEY = "a key that only tests know"


class Hook:
    """An API that takes deliveries, its Redis, and nobody who reads what was taken."""

    def __init__(self, folder: Path) -> None:
        self.redis = RedisProcess(folder)
        (folder / "projects.json").write_text("{}")
        self.api = ApiProcess(
            {
                "SCAR_REDIS_URL": self.redis.url,
                "SCAR_PROJECTS_FILE": str(folder / "projects.json"),
                "SCAR_STATE_DIR": str(folder / "state"),
                "SCAR_SECRET_KEY": KEY,
                "SCAR_GITHUB_WEBHOOK_SECRET": SECRET,
            }
        )
        self._http = httpx.Client(timeout=20, verify=False)

    def post(self, body: bytes, *, signed: bool = True, **headers: str) -> httpx.Response:
        """Delivers a body, within a second; `headers` with underscores for hyphens."""
        sent = {
            "content-type": "application/json",
            "x-github-event": "issue_comment",
            "x-github-delivery": str(uuid.uuid4()),
            **({"x-hub-signature-256": sign(body)} if signed else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.send(body, list(sent.items()))

    def send(self, body: bytes, headers: list[tuple[str, str]]) -> httpx.Response:
        began = Stopwatch()
        answer = self._http.post(f"{self.api.url}/github/webhook", content=body, headers=headers)
        assert began.seconds() < LIMIT_SECONDS
        assert "Traceback" not in answer.text
        return answer

    def letters(self) -> list[JsonObject]:
        """What was taken in since the last look."""
        inbox = Inbox(connect(self.redis.url, timeout=5.0), "github", signatures_of("github", KEY))
        entries = inbox.read("0", wait_ms=1)
        for id, _ in entries:
            inbox.drop(id)
        letters = [from_letter(letter, SECRET) for _, letter in entries if letter is not None]
        return [letter for letter in letters if letter is not None]


def sign(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def comment(text: str = "/docker_status", **changes: Any) -> bytes:
    """A comment nobody has delivered before."""
    delivery = {
        "action": "created",
        "issue": {"number": 7},
        "comment": {
            "id": int(time.monotonic_ns()),
            "body": text,
            "created_at": "2026-01-01T00:00:00Z",
            "user": {"login": "octocat", "type": "User"},
        },
        "repository": {"full_name": "octocat/shop", "html_url": "https://github.com/octocat/shop"},
        **changes,
    }
    return json.dumps(delivery).encode()


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hook]:
    made = Hook(tmp_path_factory.mktemp("hook"))
    yield made
    made.api.stop()
    made.redis.kill()


def test_a_comment_is_put_into_the_inbox(hook: Hook) -> None:
    answer = hook.post(comment("/docker_status shop"))
    assert (answer.status_code, answer.json()) == (202, {"status": "taken"})
    letter = hook.letters()[0]
    assert (letter["login"], letter["number"], letter["body"]) == (
        "octocat",
        7,
        "/docker_status shop",
    )


def test_a_delivery_without_a_valid_signature_is_refused(hook: Hook) -> None:
    body = comment()
    right = sign(body)
    sha1 = "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    wrong = "sha256=" + hmac.new(b"another", body, hashlib.sha256).hexdigest()
    kind = [
        ("content-type", "application/json"),
        ("x-github-event", "issue_comment"),
        ("x-github-delivery", "1"),
    ]
    name = "x-hub-signature-256"
    for signature in (
        [],
        [(name, "")],
        [(name, wrong)],
        [(name, sha1)],
        [("x-hub-signature", sha1)],
        [(name, right.upper())],
        [(name, "sha256=" + right[7:].upper())],
        [(name, right[:-1])],
        [(name, right[7:])],
        [(name, right + "0")],
        [(name, f"{wrong}, {right}")],
        [(name, wrong), (name, right)],
        [(name, right), (name, wrong)],
    ):
        answer = hook.send(body, [*kind, *signature])
        assert answer.status_code == 401, signature
        assert answer.json()["code"] == "unauthorized"
    assert hook.send(body + b" ", [*kind, (name, right)]).status_code == 401
    assert hook.letters() == []


def test_a_delivery_that_is_sent_twice_is_handled_once(hook: Hook) -> None:
    body = comment()
    delivery = str(uuid.uuid4())
    assert hook.post(body, x_github_delivery=delivery).json() == {"status": "taken"}
    assert hook.post(body, x_github_delivery=delivery).json() == {"status": "known"}
    assert hook.post(body).json() == {"status": "known"}
    again = json.loads(body) | {"sender": {"login": "octocat"}}
    assert hook.post(json.dumps(again).encode()).json() == {"status": "known"}
    assert hook.post(comment(), x_github_delivery=delivery).json() == {"status": "known"}
    assert len(hook.letters()) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"7", 400),
        (b"\xff\xfe", 400),
        (b'{"action": "created", "action": "edited"}', 400),
        (b'{"a": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 50_000, 400),
        (b" " * 10_000_000, 413),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_body_that_is_no_delivery_is_refused(hook: Hook, body: bytes, status: int) -> None:
    answer = hook.post(body)
    assert answer.status_code == status
    assert answer.json()["hint"]
    assert hook.letters() == []


def test_the_error_for_a_wrong_content_type_names_the_right_one(hook: Hook) -> None:
    answer = hook.post(b"payload=%7B%7D", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("delivery", ["", "x" * 65, "a b", "../x", "1:2"])
def test_an_invalid_delivery_id_is_refused(hook: Hook, delivery: str) -> None:
    assert hook.post(comment(), x_github_delivery=delivery).status_code == 400
    assert hook.letters() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "edited"},
        {"action": "deleted"},
        {"action": None},
        {"action": ["created"]},
        {"comment": None},
        {"comment": []},
        {"comment": {"id": "x", "body": "/x", "user": {"login": "octocat", "type": "User"}}},
        {"issue": {"number": []}},
        {"issue": None},
        {"repository": None},
    ],
)
def test_events_other_than_new_comments_are_ignored(hook: Hook, changes: dict[str, Any]) -> None:
    answer = hook.post(comment(**changes))
    assert (answer.status_code, answer.json()) == (202, {"status": "ignored"})
    assert hook.letters() == []


@pytest.mark.parametrize("field", ["id", "body", "created_at", "user"])
@pytest.mark.parametrize("value", [None, [], {}, "\ud800", 1e300, "x" * 30_000])
def test_a_delivery_with_fields_of_unexpected_types_puts_nothing_malformed_into_the_inbox(
    hook: Hook, field: str, value: Any
) -> None:
    delivery = json.loads(comment())
    delivery["comment"][field] = value
    assert hook.post(json.dumps(delivery).encode()).status_code in (202, 400)
    for letter in hook.letters():
        assert isinstance(letter["body"], str)
        assert isinstance(letter["id"], int)
        assert datetime.fromisoformat(letter["created_at"]).tzinfo


def test_comments_of_bots_are_ignored(hook: Hook) -> None:
    delivery = json.loads(comment())
    delivery["comment"]["user"] = {"login": "scar[bot]", "type": "Bot"}
    assert hook.post(json.dumps(delivery).encode()).json() == {"status": "ignored"}


def test_every_example_delivery_of_github_is_accepted(hook: Hook) -> None:
    events = json.loads(Path(places()["PAYLOADS"]).read_text())
    posted = 0
    for event in events:
        for example in event["examples"]:
            answer = hook.post(json.dumps(example).encode(), x_github_event=event["name"])
            assert answer.status_code == 202, (event["name"], answer.text)
            posted += 1
    assert posted == 329
    for letter in hook.letters():
        assert not letter.get("body", "").startswith(("/", "@"))


def test_without_redis_a_delivery_is_refused_at_once(hook: Hook) -> None:
    body = comment()
    hook.redis.kill()
    try:
        answer = hook.post(body)
        assert answer.status_code == 503
        assert answer.json()["hint"]
        assert hook.post(body, signed=False).status_code == 401
    finally:
        hook.redis.start()
    assert hook.post(body).json() == {"status": "taken"}
