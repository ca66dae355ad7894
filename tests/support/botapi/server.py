"""The Bot API over HTTP: `/bot<token>/<method>`, `/file/bot<token>/<path>` and `/control/`."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.formparser import FormDataParser

from .control import Control
from .faults import Fault, Faults, flooded
from .methods import Methods
from .person import Telegram
from .rules import METHODS, ApiError, Params, bad
from .state import Json, World

_BOT = re.compile(r"/bot([^/]+)/([^/]+)")
_FILE = re.compile(r"/file/bot([^/]+)/documents/([^/]+)")
_CONTROL = re.compile(r"/control/([a-z_]+)")


class _Dropped(Exception):
    """The connection is to be closed without an answer."""


class BotApiServer(Telegram):
    """A Bot API server for one bot, with the people it talks to (see `Telegram`).

    Give `url` to a bot: `base_url=f"{url}/bot"`, `base_file_url=f"{url}/file/bot"`. `now` is the
    Unix time of messages, `clock` the monotonic one of the limiter and of the record.
    `privacy` is BotFather's privacy mode, on for every new bot.
    """

    def __init__(
        self,
        token: str = "123:ABC",
        *,
        port: int = 0,
        privacy: bool = True,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = token
        self.world = World(token, privacy=privacy, now=now, clock=clock)
        self.faults = Faults()
        self.methods = Methods(self.world)
        self.controls = Control(self.world, self.faults)
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.api = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        super().__init__(f"http://127.0.0.1:{self._http.server_port}")

    def start(self) -> None:
        """Serves in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the long polls and stops listening."""
        self.methods.close()
        self.close()
        self._http.shutdown()
        self._http.server_close()
        self._http.hang_up()
        self._thread.join()

    def __enter__(self) -> BotApiServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def called(self, token: str, method: str, params: Params) -> Any:
        """Does a bot's call and records it; `ApiError` where it is refused."""
        call = self._recorded(method, params)
        try:
            if token != self.token:
                raise ApiError(401, "Unauthorized")
            if method not in METHODS:
                raise ApiError(404, "Not Found: method not found")
            fault = self._met(method, call["chat"])
            with self.world.changed:
                if self.controls.limiter is not None:
                    self.controls.limiter.check(method, call["chat"])
            result = self.methods.call(method, params)
            self._noted(call, ok=True, status=200, result=result)
            if fault is not None and fault.kind == "lose":
                raise _Dropped
        except ApiError as error:
            self._noted(call, ok=False, status=error.status, description=error.description)
            raise
        except _Dropped:
            self._noted(call, dropped=True)
            raise
        return result

    def _met(self, method: str, chat: int | None) -> Fault | None:
        """Lets the fault of this call happen, as far as it comes before the call is done."""
        with self.world.changed:
            fault = self.faults.take(method, chat)
        if fault is None or fault.kind == "lose":
            return fault
        if fault.kind == "drop":
            raise _Dropped
        if fault.kind == "error":
            raise ApiError(fault.status, "Internal Server Error: scripted")
        if fault.kind == "flood":
            raise flooded(fault.seconds)
        time.sleep(fault.seconds)
        return None

    def _recorded(self, method: str, params: Params) -> Json:
        chat = str(params.get("chat_id", ""))
        call: Json = {
            "at": self.world.clock(),
            "method": method,
            "params": {name: _shown(value) for name, value in params.items()},
            "chat": int(chat) if re.fullmatch(r"-?\d{1,19}", chat) else None,
            "ok": None,
        }
        with self.world.changed:
            self.world.calls.append(call)
        return call

    def _noted(self, call: Json, **outcome: Any) -> None:
        with self.world.changed:
            call |= {**outcome, "ended_at": self.world.clock()}
            self.world.touch()


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"file_name": value[0], "size": len(value[1])}
    return value


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    api: BotApiServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves a connection in a thread of its own, and remembers it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Closes the connections that clients keep open."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; all else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """The record of calls takes the place of a log."""

    def do_GET(self) -> None:
        """A method without a body, or a file."""
        match = _FILE.fullmatch(self._path)
        if match is None:
            self._serve()
            return
        api = self.server.api
        file = api.world.files.get(match.group(2))
        if unquote(match.group(1)) != api.token or file is None:
            self._answer(404, {"ok": False, "error_code": 404, "description": "Not Found"})
        else:
            self._write(200, "application/octet-stream", file.content)

    def do_POST(self) -> None:
        """A method with its parameters."""
        self._serve()

    @property
    def _path(self) -> str:
        return urlsplit(self.path).path

    def _serve(self) -> None:
        try:
            params = self._params()
            self._answer(200, {"ok": True, "result": self._result(params)})
        except ApiError as error:
            answer: Json = {
                "ok": False,
                "error_code": error.status,
                "description": error.description,
            }
            if error.parameters:
                answer["parameters"] = error.parameters
            self._answer(error.status, answer)
        except _Dropped:
            self.close_connection = True

    def _result(self, params: Params) -> Any:
        api = self.server.api
        control = _CONTROL.fullmatch(self._path)
        if control is not None:
            return api.controls.do(control.group(1), params)
        match = _BOT.fullmatch(self._path)
        if match is None:
            raise ApiError(404, "Not Found")
        return api.called(unquote(match.group(1)), match.group(2), params)

    def _params(self) -> Params:
        params: Params = dict(parse_qsl(urlsplit(self.path).query))
        length = int(self.headers.get("Content-Length") or 0)
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return params | self._form(kind, length)
        body = self.rfile.read(length)
        if not body:
            return params
        if kind != "application/json":
            raise bad(f"unsupported content type {kind!r}")
        try:
            given = json.loads(body)
        except ValueError as error:
            raise bad("can't parse JSON object") from error
        if not isinstance(given, dict):
            raise bad("object expected")
        return params | {name: value for name, value in given.items() if value is not None}

    def _form(self, kind: str, length: int) -> Params:
        options = self.headers.get_params() or []
        _, form, files = FormDataParser(max_form_memory_size=None).parse(
            io.BytesIO(self.rfile.read(length)), kind, length, dict(options[1:])
        )
        params: Params = form.to_dict()
        sent = {name: (file.filename or "file", file.read()) for name, file in files.items()}
        for name, value in params.items():
            if value.startswith("attach://") and value[9:] in sent:
                params[name] = sent.pop(value[9:])
        return params | sent

    def _answer(self, status: int, answer: Json) -> None:
        if status in (502, 504):  # these come from the proxy before the Bot API, as HTML
            page = f"<html><head><title>{status}</title></head></html>".encode()
            self._write(status, "text/html", page)
        else:
            self._write(status, "application/json", json.dumps(answer).encode())

    def _write(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
