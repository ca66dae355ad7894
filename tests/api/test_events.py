"""`/jobs/{id}/events`: order, resuming, many watchers, and how a stream ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from scar.client import ApiClient, EventReader
from scar.jobs.event import Event
from tests.support.acting_worker import ActingClaim, ActingWorker
from tests.support.live_api import TOKENS, ApiProcess, Caller, bearer
from tests.support.redis_process import RedisProcess
from tests.support.waiting import eventually

Call = Callable[[str | None], Caller]


def _ask(client: httpx.Client) -> str:
    answer = client.post("/jobs", json={"kind": "status", "project": "shop"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


class Reader:
    """An open stream, read one event at a time."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        self._reader = EventReader()

    def __iter__(self) -> Iterator[Event]:
        for line in self._lines:
            event = self._reader.feed(line)
            if event is not None:
                yield event

    def line(self) -> str:
        """The next line of output."""
        for event in self:
            if event.type == "output":
                return str(event.data["line"])
        raise AssertionError("the stream has ended")


@contextmanager
def _open(client: httpx.Client, id: str, **headers: str) -> Iterator[Reader]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with client.stream("GET", f"/jobs/{id}/events", headers=named) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield Reader(answer)


def _ids(events: list[Event]) -> list[int]:
    return [event.id for event in events]


def test_every_event_comes_once_in_order_and_the_stream_ends_with_the_job(
    api: httpx.Client, worker: ActingWorker
) -> None:
    id = _ask(api)
    with _open(api, id) as stream:
        first = next(iter(stream))
        assert (first.id, first.type, first.data) == (1, "job", {"state": "queued"})
        claim = worker.claim(id)
        for number in range(300):
            claim.lines(f"line {number}", "\n\nid: 99\ndata: {}\r\n\0 <b>ünïcode</b>")
        claim.succeed({"done": True})
        rest = list(stream)
    assert _ids([first, *rest]) == list(range(1, len(rest) + 2))
    lines = [event.data["line"] for event in rest if event.type == "output"]
    assert lines[::2] == [f"line {number}" for number in range(300)]
    assert set(lines[1::2]) == {"\n\nid: 99\ndata: {}\r\n\0 <b>ünïcode</b>"}
    assert [event.type for event in rest[-2:]] == ["result", "job"]
    assert rest[-1].data == {"state": "succeeded"}


def test_an_event_larger_than_the_socket_buffer_arrives_whole(
    api: httpx.Client, worker: ActingWorker
) -> None:
    id = _ask(api)
    with _open(api, id) as stream:
        claim = worker.claim(id)
        for number in range(8):
            claim.lines(f"{number}" * 1_000_000, "small")
        claim.succeed({})
        lines = [event.data["line"] for event in stream if event.type == "output"]
    assert [line[0] for line in lines[::2]] == list("01234567")
    assert {len(line) for line in lines} == {1_000_000, 5}


def test_last_event_id_resumes_with_the_next_event(api: httpx.Client, worker: ActingWorker) -> None:
    id = _ask(api)
    claim = worker.claim(id)
    claim.lines(*[str(number) for number in range(20)])
    claim.succeed({})
    with _open(api, id) as stream:
        everything = list(stream)
    for after in (1, 7, len(everything) - 1):
        with _open(api, id, Last_Event_ID=str(after)) as stream:
            assert list(stream) == everything[after:]
    # After the last event, the status 204 tells an EventSource not to reconnect.
    for after in (len(everything), len(everything) + 50):
        answer = api.get(f"/jobs/{id}/events", headers={"Last-Event-ID": str(after)})
        assert (answer.status_code, answer.content) == (204, b"")


def test_a_client_with_an_event_id_that_does_not_exist_yet_receives_the_next_event(
    api: httpx.Client, worker: ActingWorker
) -> None:
    id = _ask(api)
    claim = worker.claim(id)
    with _open(api, id, Last_Event_ID="500") as stream:
        claim.lines("new")
        assert stream.line() == "new"


def test_fifty_watchers_see_the_same_events(api: httpx.Client, worker: ActingWorker) -> None:
    id = _ask(api)
    claim = worker.claim(id)
    connected = threading.Barrier(51)

    def watch(_: int) -> list[Event]:
        base = str(api.base_url)
        with (
            httpx.Client(
                base_url=base, headers=bearer("phone"), timeout=30, verify=False
            ) as client,
            _open(client, id) as stream,
        ):
            first = next(iter(stream))
            connected.wait(60)
            return [first, *stream]

    with ThreadPoolExecutor(50) as pool:
        running = [pool.submit(watch, number) for number in range(50)]
        connected.wait(60)
        # Watchers do not delay other requests.
        assert api.get(f"/jobs/{id}").json()["state"] == "running"
        for number in range(100):
            claim.lines(str(number))
        claim.succeed({})
        seen = [future.result(60) for future in running]
    assert _ids(seen[0]) == list(range(1, 105))
    assert all(events == seen[0] for events in seen)


def test_a_client_misses_and_repeats_no_event_when_the_api_is_killed(
    own_server: ApiProcess, worker: ActingWorker
) -> None:
    client = ApiClient(own_server.url, lambda *_: TOKENS["root"])
    with httpx.Client(base_url=f"{own_server.url}/api/v1", headers=bearer("root")) as http:
        id = _ask(http)
    claim = worker.claim(id)
    seen: list[Event] = []
    ended = threading.Event()

    def follow() -> None:
        for event in client.events(id, patience=60):
            seen.append(event)
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    with claim.kept_alive():
        for turn in range(3):
            claim.lines(f"before {turn}")
            eventually(lambda: seen and seen[-1].data.get("line") == f"before {turn}")  # noqa: B023
            own_server.kill()
            claim.lines(f"away {turn}")
            own_server.start()
            claim.lines(f"after {turn}")
            eventually(lambda: seen[-1].data.get("line") == f"after {turn}")  # noqa: B023
        claim.succeed({})
    assert ended.wait(60)
    assert _ids(seen) == list(range(1, len(seen) + 1))
    lines = [event.data["line"] for event in seen if event.type == "output"]
    assert lines == [f"{when} {n}" for n in range(3) for when in ("before", "away", "after")]


def test_an_event_stream_continues_after_a_restart_of_redis(
    own_server: ApiProcess, worker: ActingWorker, redis_process: RedisProcess
) -> None:
    base = f"{own_server.url}/api/v1"
    with httpx.Client(base_url=base, headers=bearer("root"), timeout=30) as client:
        id = _ask(client)
        claim = worker.claim(id)
        with _open(client, id) as stream:
            claim.lines("before")
            assert stream.line() == "before"
            redis_process.kill()
            redis_process.start()
            eventually(lambda: _says(claim, "after"))
            assert stream.line() == "after"
            claim.succeed({})
            assert next(reversed(list(stream))).data == {"state": "succeeded"}


def _says(claim: ActingClaim, text: str) -> bool:
    claim.lines(text)
    return True


@pytest.mark.usefixtures("worker")
def test_a_server_that_stops_ends_its_streams(own_server: ApiProcess) -> None:
    base = f"{own_server.url}/api/v1"
    with httpx.Client(base_url=base, headers=bearer("root"), timeout=30) as client:
        id = _ask(client)
        with _open(client, id) as stream:
            next(iter(stream))
            own_server.stop()
            assert list(stream) == []
    assert own_server.process.returncode == 0
    assert own_server.log is not None
    assert "graceful timeout" not in own_server.log.read_text()


def test_clients_that_disconnect_free_their_streams(
    server: ApiProcess, api: httpx.Client, worker: ActingWorker
) -> None:
    id = _ask(api)
    claim = worker.claim(id)
    request = (
        f"GET /api/v1/jobs/{id}/events HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {TOKENS['root']}\r\n\r\n"
    ).encode()

    def leave() -> int:
        assert worker.services.ledger.renew(id, claim.claim.fence)[0]  # this may take a while
        with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
            connection.sendall(request)
            return int(connection.recv(100).split()[1])

    def taken() -> float:
        text = httpx.get(f"{server.url}/metrics", verify=False).text
        (line,) = [line for line in text.splitlines() if line.startswith("scar_event_streams ")]
        return float(line.split()[1])

    def empty() -> bool:
        claim.lines("anybody there?")
        return taken() == 0

    with claim.kept_alive():
        assert {leave() for _ in range(200)} <= {200, 503}
        eventually(empty)
        claim.succeed({})


def test_events_as_a_list_with_a_long_poll(call: Call, worker: ActingWorker) -> None:
    caller = call("root")
    id = caller("POST", "/api/v1/jobs", json={"kind": "status", "project": "shop"}).json["id"]
    path, json = f"/api/v1/jobs/{id}/events", {"Accept": "application/json"}
    page = caller("GET", path, headers=json).json
    assert [event["type"] for event in page["items"]] == ["job"]
    assert page["next"] == 1
    claim = worker.claim(id)
    claim.lines("one", "two", "three")
    pages: list[Any] = []
    after: int | None = 1
    while after:
        page = caller("GET", path, query_string={"after": after, "limit": 2}).json
        pages += page["items"]
        after = page["next"] if page["items"] else None
    assert [event["id"] for event in pages] == [2, 3, 4, 5]
    nothing = caller("GET", path, query_string={"after": 5, "wait": "0.1"}).json
    assert nothing == {"items": [], "next": 5}
    waiting = threading.Timer(0.05, claim.succeed, ({},))
    waiting.start()
    last = caller("GET", path, query_string={"after": 5, "wait": 20}).json
    waiting.join()
    rest = caller("GET", path, query_string={"after": last["items"][-1]["id"]}).json
    assert [event["type"] for event in last["items"] + rest["items"]] == ["result", "job"]
    assert rest["next"] is None


def test_accept_and_query_choose_between_stream_and_list(call: Call, worker: ActingWorker) -> None:
    caller = call("root")
    id = caller("POST", "/api/v1/jobs", json={"kind": "status", "project": "shop"}).json["id"]
    worker.claim(id).succeed({})
    for accept, query, shape in (
        ("*/*", {}, "text/event-stream; charset=utf-8"),
        ("text/event-stream", {"after": 1}, "text/event-stream; charset=utf-8"),
        ("application/json", {}, "application/json"),
        ("application/json;q=0.5, text/event-stream", {}, "text/event-stream; charset=utf-8"),
        ("*/*", {"after": 1}, "application/json"),
    ):
        answer = caller(
            "GET", f"/api/v1/jobs/{id}/events", query_string=query, headers={"Accept": accept}
        )
        assert (answer.status_code, answer.content_type) == (200, shape)
        assert ('"id":1,' in answer.text) is ("after" not in query)
    head = caller("HEAD", f"/api/v1/jobs/{id}/events")
    assert (head.status_code, head.data) == (200, b"")
