"""Deliveries of GitHub: only well-formed ones are stored, and only sealed ones are read."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from scar.access import Actor
from scar.chat.front_end import IncomingMessage, Place
from scar.chat.menus import Menus
from scar.jobs.github_delivery import from_letter
from scar.jobs.inbox import Inbox
from scar.redis_client import connect
from tests.support.keys import signatures_of
from tests.support.live_api import ApiProcess
from tests.support.redis_process import RedisProcess

KEY = "a key that only tests know"
SECRET = "a-secret-that-only-tests-know"
REPOSITORY = {"full_name": "ada/shop", "html_url": "https://github.com/ada/shop"}
OTHERS = signatures_of("api", "another key")


class Hook:
    """An API that takes deliveries, and the inbox behind it."""

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
        self.client = connect(self.redis.url, timeout=5.0)
        self.inbox = Inbox(self.client, "github", signatures_of("github", KEY))

    def post(self, event: str, payload: dict[str, Any]) -> str:
        body = json.dumps(payload).encode()
        sealed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": str(uuid4()),
            "x-hub-signature-256": f"sha256={sealed}",
        }
        url = f"{self.api.url}/github/webhook"
        answer = httpx.post(url, content=body, headers=headers, verify=False)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["status"])


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hook]:
    made = Hook(tmp_path_factory.mktemp("hook"))
    yield made
    made.api.stop()
    made.redis.kill()


def comment() -> dict[str, Any]:
    return {
        "action": "created",
        "issue": {"number": 7},
        "comment": {
            "id": time.monotonic_ns(),
            "body": "/docker_status",
            "created_at": "2026-01-01T00:00:00Z",
            "user": {"login": "ada", "type": "User"},
        },
        "repository": dict(REPOSITORY),
    }


def push() -> dict[str, Any]:
    after = uuid4().hex + "0" * 8
    sender = {"login": "dependabot[bot]"}
    return {"ref": "refs/heads/a/b", "after": after, "repository": REPOSITORY, "sender": sender}


def changed(payload: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(payload))
    *folders, name = place.split(".")
    at = copy
    for folder in folders:
        at = at[folder]
    at[name] = value
    return copy


@pytest.mark.parametrize("name", ["\0/x", "a\nb/c", "../..", "a/..", "a/b/c", "a", "é/b", "a/b?c"])
def test_a_malformed_repository_name_is_ignored(hook: Hook, name: str) -> None:
    assert hook.post("push", changed(push(), "repository.full_name", name)) == "ignored"
    assert hook.post("issue_comment", changed(comment(), "repository.full_name", name)) == "ignored"


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ("repository.html_url", ["http://[", "file:///etc/passwd", "https://a b/c", 1, None]),
        ("comment.created_at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "x", 1]),
        ("comment.id", [-1, 0, 1.5, 1e300, 10**400, "1", True, None]),
        ("issue.number", [-1, 0, 10**400, "../1"]),
        ("comment.body", [["/docker_status"], {"a": 1}, 1, None]),
        ("comment.user.login", ["a/b", "a\nb", "", 1, None, ["ada"]]),
    ],
)
def test_a_malformed_comment_is_ignored(hook: Hook, place: str, values: list[Any]) -> None:
    for value in values:
        assert hook.post("issue_comment", changed(comment(), place, value)) == "ignored", value


def test_a_forged_delivery_in_the_inbox_is_ignored(hook: Hook) -> None:
    hook.client.delete("scar:github:inbox")
    assert hook.post("issue_comment", comment()) == "taken"
    assert hook.post("push", push()) == "taken"
    ((_, commented), (_, pushed)) = hook.inbox.read("0", wait_ms=1)
    assert commented is not None
    assert (from_letter(commented, SECRET) or {})["login"] == "ada"
    assert pushed is not None
    assert (from_letter(pushed, SECRET) or {})["branch"] == "a/b"
    hook.client.delete("scar:github:inbox")
    for forged in (
        json.dumps(commented),
        OTHERS.seal("letter", commented),
        signatures_of("api", KEY).seal("choice", commented),
        signatures_of("telegram", KEY).seal("letter", commented),
    ):
        hook.client.xadd("scar:github:inbox", {"letter": forged})
    hook.client.xadd("scar:github:inbox", {"else": "1"})
    assert [letter for _, letter in hook.inbox.read("0", wait_ms=1)] == [None] * 5


def test_a_forged_or_copied_menu_on_redis_is_ignored(hook: Hook) -> None:
    ada, place = Actor("telegram", "1", "Ada"), Place("2")
    choices = Menus(hook.client, signatures_of("telegram", KEY))

    def tapped(tag: str) -> str | None:
        return choices.take(IncomingMessage(ada, place, "c0", time.time(), tag=tag))

    assert tapped(choices.offer(ada, place, ["/docker_status shop"])) == "/docker_status shop"
    for stranger in (OTHERS, signatures_of("github", KEY)):
        tag = Menus(hook.client, stranger).offer(ada, place, ["/docker_deploy shop"])
        assert tapped(tag) is None
    other = choices.offer(ada, place, ["/docker_deploy shop"])
    hook.client.copy(f"scar:choice:{other[:-1]}", "scar:choice:elsewhere")
    assert tapped("elsewhere:") is None


def test_unread_deliveries_do_not_fill_redis(hook: Hook) -> None:
    inbox = Inbox(hook.client, "unread", signatures_of("api", KEY))
    assert inbox.put({"number": 0}, ["letter:0"])
    pipe = hook.client.pipeline(transaction=False)
    for _ in range(10_000):
        pipe.xadd("scar:unread:inbox", {"letter": ""})
    pipe.execute()
    for number in range(1, 300):
        assert inbox.put({"number": number}, [f"letter:{number}"])
    assert hook.client.xlen("scar:unread:inbox") < 10_200
    letters = inbox.read("0", wait_ms=1)
    assert letters[0][1] != {"number": 0}
    while more := inbox.read(letters[-1][0], wait_ms=1):
        letters += more
    assert letters[-1][1] == {"number": 299}
