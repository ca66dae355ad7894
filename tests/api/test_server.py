"""The server process: slow clients, many open streams, stopping, and what is patched."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPResponse
from select import select

import httpx
import pytest
from flask.testing import FlaskClient

from scar.api.connections import MOST_OF_ADDRESS
from scar.errors import ScarError
from tests.support.acting_worker import ActingWorker
from tests.support.live_api import TOKENS, ApiProcess, Caller, bearer
from tests.support.waiting import eventually

Call = Callable[[str | None], Caller]
MANY = 200
SLOW = MOST_OF_ADDRESS // 2 - 2
HEAD = f"Host: x\r\nAuthorization: Bearer {TOKENS['root']}\r\n".encode()
HALF_A_HEAD = b"GET /api/v1/jobs HTTP/1.1\r\n" + HEAD
HALF_A_BODY = (
    b"POST /api/v1/jobs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    + HEAD
    + b'\r\n{"kind": '
)


def _connect(stack: ExitStack, server: ApiProcess, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(request)
    return stack.enter_context(closing(connection))


def _seconds_to_answer(server: ApiProcess) -> float:
    started = time.monotonic()
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
    return time.monotonic() - started


def test_clients_that_send_slowly_keep_nobody_waiting_and_are_dropped(
    server: ApiProcess, api: httpx.Client
) -> None:
    with ExitStack() as stack:
        heads = [_connect(stack, server, HALF_A_HEAD) for _ in range(SLOW)]
        bodies = [_connect(stack, server, HALF_A_BODY) for _ in range(SLOW)]
        api.get("/jobs").raise_for_status()
        assert select(heads, [], [], 0)[0] == [], "answered while all of them were connected"
        for connection in bodies:
            response = HTTPResponse(connection)
            response.begin()
            assert response.status == 408
            assert json.load(response)["code"] == "timeout"
        for connection in heads:
            assert connection.recv(65536) == b""


def test_slow_clients_and_long_polls_leave_room_for_everybody_else(
    server: ApiProcess, api: httpx.Client, worker: ActingWorker
) -> None:
    id = str(api.post("/jobs", json={"kind": "status", "project": "shop"}).json()["id"])
    claim = worker.claim(id)
    last = api.get(f"/jobs/{id}/events", params={"after": 0}).json()["next"]
    poll = f"GET /api/v1/jobs/{id}/events?after={last}&wait=30 HTTP/1.1\r\n".encode() + HEAD
    with ExitStack() as stack, claim.kept_alive():
        polls = [_connect(stack, server, poll + b"\r\n") for _ in range(165)]
        slow = [_connect(stack, server, b"G") for _ in range(170)]
        for connection in slow:
            connection.setblocking(False)
        times = []
        for number in range(100):
            with suppress(OSError):  # it may have been disconnected for another client
                slow[number].send(b"E")
            times.append(_seconds_to_answer(server))
        assert sorted(times)[50] < 0.1
        assert sorted(times)[98] < 1  # 0.1 s on an idle machine
        claim.succeed({})
        for connection in polls:
            response = HTTPResponse(connection)
            response.begin()
            assert response.status == 200
            assert json.load(response)["items"]


def test_above_the_limit_of_slow_clients_the_one_that_waited_longest_is_disconnected(
    server: ApiProcess, api: httpx.Client
) -> None:
    with ExitStack() as stack:
        elsewhere = socket.create_connection(
            ("127.0.0.1", server.port), timeout=60, source_address=("127.0.0.9", 0)
        )
        stack.enter_context(closing(elsewhere)).sendall(HALF_A_HEAD)
        first = [_connect(stack, server, HALF_A_HEAD) for _ in range(MOST_OF_ADDRESS)]
        time.sleep(0.6)
        _connect(stack, server, HALF_A_HEAD)
        api.get("/jobs").raise_for_status()
        response = HTTPResponse(first[0])
        response.begin()
        assert (response.status, response.headers["Retry-After"]) == (429, "2")
        assert response.headers["Content-Type"] == "application/problem+json"
        assert json.load(response)["code"] == "too_many_requests"
        assert select([elsewhere], [], [], 0)[0] == [], "another address is not concerned"


def test_an_actor_with_too_many_waiting_requests_is_refused_and_others_are_not(
    call: Call, worker: ActingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar.api.waits.MOST_OF_ACTOR", 1)
    root, ci = call("root"), call("ci")
    id = root("POST", "/api/v1/jobs", json={"kind": "status", "project": "shop"}).json["id"]
    stream = ci("GET", f"/api/v1/jobs/{id}/events")
    for path in (f"jobs/{id}/events", f"jobs/{id}/events?after=9&wait=1", "projects/shop/status"):
        refused = ci("GET", f"/api/v1/{path}")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert refused.json["code"] == "too_many_requests"
    other = call("phone")
    assert other("GET", f"/api/v1/jobs/{id}/events?after=9&wait=1").status_code == 200
    assert len(root("GET", "/api/v1/jobs").json["items"]) == 1, "what is refused makes no job"
    worker.claim(id).succeed({})
    stream.close()
    assert ci("GET", f"/api/v1/jobs/{id}/events?after=9&wait=1").status_code == 200


def test_two_hundred_open_streams_keep_nobody_waiting(
    server: ApiProcess, api: httpx.Client, worker: ActingWorker
) -> None:
    id = str(api.post("/jobs", json={"kind": "status", "project": "shop"}).json()["id"])
    request = f"GET /api/v1/jobs/{id}/events HTTP/1.1\r\n".encode() + HEAD + b"\r\n"
    claim = worker.claim(id)
    with ExitStack() as stack, claim.kept_alive():
        streams = [_connect(stack, server, request) for _ in range(MANY)]
        assert {connection.recv(15) for connection in streams} == {b"HTTP/1.1 200 OK"}
        api.get("/jobs").raise_for_status()
        claim.succeed({})
        for connection in streams:
            received = b""
            while b'"succeeded"' not in received:
                received += connection.recv(65536)


def test_one_event_stream_above_the_limit_is_503(
    call: Call, worker: ActingWorker, flask_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests of this process may have left a stream open.
    already_open = len(flask_client.application.extensions["scar"].open_streams)
    monkeypatch.setattr("scar.api.waits.MOST", already_open + 1)
    caller = call("root")
    id = caller("POST", "/api/v1/jobs", json={"kind": "status", "project": "shop"}).json["id"]
    first = caller("GET", f"/api/v1/jobs/{id}/events")
    second = caller("GET", f"/api/v1/jobs/{id}/events")
    assert (first.status_code, second.status_code) == (200, 503)
    assert second.json["code"] == "overloaded"
    worker.claim(id).succeed({})
    first.close()
    assert caller("GET", f"/api/v1/jobs/{id}/events").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_does_not_wait_for_an_idle_connection(
    own_server: ApiProcess, number: signal.Signals
) -> None:
    with closing(HTTPConnection("127.0.0.1", own_server.port)) as idle:
        idle.request("GET", "/healthz")
        assert idle.getresponse().read() == b'{"status":"alive"}'
        os.killpg(own_server.process.pid, number)
        assert own_server.process.wait(60) == 0
        assert idle.sock.recv(100) == b""
    assert own_server.log is not None
    log = own_server.log.read_text()
    assert "graceful timeout" not in log
    assert "Traceback" not in log


def test_the_gunicorn_worker_ends_when_its_arbiter_is_killed(own_server: ApiProcess) -> None:
    group = own_server.process.pid
    os.kill(group, signal.SIGKILL)
    own_server.process.wait()
    eventually(lambda: not _exists(group))
    own_server.start()


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_gevent_patches_the_standard_library_before_the_api_is_imported(
    own_server: ApiProcess,
) -> None:
    with httpx.Client(base_url=f"{own_server.url}/api/v1", headers=bearer("root")) as client:
        client.get("/jobs").raise_for_status()
    assert own_server.log is not None
    assert "MonkeyPatchWarning" not in own_server.log.read_text()


def test_no_process_but_the_api_is_patched_by_gevent() -> None:
    code = (
        "import workers.celery, scar.cli.up, scar.cli.parts, sys; "
        "assert 'gevent' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_settings_are_reported_before_anything_listens(env: dict[str, str]) -> None:
    from scar.api.server import serve
    from scar.settings import Settings

    settings = Settings.load({**env, "SCAR_KEY_FILE": "/nowhere/key.pem"}, dotenv=None)
    with pytest.raises(ScarError, match=r"SCAR_KEY_FILE: /nowhere/key\.pem cannot be read"):
        serve(settings)
