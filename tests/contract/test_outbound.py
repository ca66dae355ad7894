"""Alerts to services that Apprise knows: one that fails is tried again, and touches nobody else."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scar.bootstrap import Services, bootstrap
from scar.chat.alert_messages import AlertMessages
from scar.chat.background_tasks import BackgroundTasks
from scar.chat.context import ChatContext
from scar.chat.sender import Sender
from scar.frontends.outbound.notifier import NAME, NoEvents, OutboundServices, places_of
from scar.json_object import JsonObject
from tests.contract.test_alerts import alert_of, worker_book
from tests.support.waiting import PATIENCE


@dataclass
class Receiver:
    """An HTTP server that takes messages in Apprise's own JSON, except the first `refuses`."""

    refuses: int = 0
    taken: list[JsonObject] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/secret-path?cto=60&rto=60"


def _serve(receiver: Receiver) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if receiver.refuses:
                receiver.refuses -= 1
                self.send_error(500)
                return
            receiver.taken.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    both = Receiver(), Receiver(refuses=2)
    servers = [_serve(receiver) for receiver in both]
    yield both
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_service_gets_one_message_when_an_alert_begins_and_one_when_it_recovers(
    services: Services, receivers: tuple[Receiver, Receiver]
) -> None:
    well, failing = receivers
    own = bootstrap(services.settings, NAME)

    async def test() -> None:
        places = places_of([well.url, failing.url])
        front_end = OutboundServices(places, again_seconds=0.1)
        context, tasks = ChatContext(front_end, own, NoEvents(), time.time), BackgroundTasks()
        chats = [f"{NAME}:{place}" for place in places]
        messages = AlertMessages(context, Sender(context, tasks), tasks, chats)
        following = asyncio.create_task(messages.follow())
        alert, book = alert_of(why="asks @everyone"), worker_book(services)
        book.put(alert)
        await _until(lambda: len(well.taken) == len(failing.taken) == 1)
        book.put(replace(alert, version=2, closed_at=alert.opened_at + 60_000))
        await _until(lambda: len(well.taken) == len(failing.taken) == 2)
        following.cancel()
        await tasks.cancel()

    asyncio.run(test())
    for receiver in receivers:
        begin, end = receiver.taken
        assert begin["title"] == "🔴 shop/web is restarting in a loop"
        assert "@everyone" not in begin["message"]
        assert end["title"] == "✅ shop/web has recovered after 1m"


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not look():
            await asyncio.sleep(0.02)
