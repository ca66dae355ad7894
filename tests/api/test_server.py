"""The server process: slow clients, many open streams, stopping, and what is patched."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from select import select

import httpx
import pytest
from flask.testing import FlaskClient

from scar.errors import ScarError
from tests.support.acting_worker import ActingWorker
from tests.support.live_api import TOKENS, ApiProcess, Caller, bearer
from tests.support.waiting import eventually

Call = Callable[[str | None], Caller]
MANY = 200
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


def test_slow_clients_are_disconnected_and_do_not_delay_others(
    server: ApiProcess, api: httpx.Client
) -> None:
    with ExitStack() as stack:
        heads = [_connect(stack, server, HALF_A_HEAD) for _ in range(MANY)]
        bodies = [_connect(stack, server, HALF_A_BODY) for _ in range(MANY)]
        api.get("/jobs").raise_for_status()
        assert select(heads, [], [], 0)[0] == [], "answered while all of them were connected"
        for connection in bodies:
            response = HTTPResponse(connection)
            response.begin()
            assert response.status == 408
            assert json.load(response)["code"] == "timeout"
        for connection in heads:
            assert connection.recv(65536) == b""


def test_two_hundred_open_streams_do_not_delay_other_requests(
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
    monkeypatch.setattr("scar.api.events.MAX_STREAMS", already_open + 1)
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

    settings = Settings.load({**env, "SCAR_SECRET_KEY": ""}, dotenv=None)
    with pytest.raises(ScarError, match="SCAR_SECRET_KEY"):
        serve(settings)
