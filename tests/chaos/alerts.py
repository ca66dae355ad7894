"""A container that goes wrong while worker, Redis and messenger are killed: who is told, how often.

Each round kills the container, kills one part of SCAR at a random instant, waits until the alert is
told, starts the container and kills the part again. Afterwards each round must have been told once,
and its recovery once.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

from tests.support.compose_project import IMAGE, run_docker
from tests.support.installation import Installation
from tests.support.waiting import eventually

PARTS = {"worker": "celery", "redis": "valkey", "messenger": "scar.cli outbound"}
"""What is killed, and a word of its command line."""

BEGUN = ("🟠 shop/", "🔴 shop/")
"""A worker that was killed no longer knows that the container was ended by hand."""

RECOVERED = ("✅ shop/",)
_LOOK_SECONDS = 0.5
_PATIENCE = 90.0


@dataclass
class Told:
    """What the receiver was told, in order: the titles of the messages."""

    titles: list[str] = field(default_factory=list)

    def count(self, signs: tuple[str, ...]) -> int:
        """Return how many messages began so: of the container, since a host whose worker is slow
        to come back is told of too.
        """
        return sum(title.startswith(signs) for title in self.titles)


class AlertChaos:
    """One container under one SCAR that tells a receiver in this process."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.told = Told()
        self._chance = random.Random(seed)
        self._container = f"scarchaos-{uuid4().hex[:8]}"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self.told))
        self.installation = Installation(
            folder,
            SCAR_ALERT_LOOK_SECONDS=str(_LOOK_SECONDS),
            SCAR_ALERT_URLS=f"json://127.0.0.1:{self._server.server_port}/?cto=60&rto=60",
        )

    def begin(self) -> None:
        """Start the container, then SCAR."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        stop = ("--stop-signal", "KILL")
        run_docker("run", "-d", *stop, "--name", self._container, IMAGE, "sleep", "100000")
        self.installation.project("shop", self._container)
        self.installation.up()
        roster = self.installation.folder / "state/watch/roster.json"
        eventually(lambda: roster.exists() and self._container in roster.read_text())

    def end(self) -> None:
        """End SCAR, the receiver and the container."""
        self.installation.down()
        self._server.shutdown()
        self._server.server_close()
        run_docker("rm", "-f", self._container, check=False)

    def round(self, part: str) -> None:
        """Let the container end and run again; each time, kill a part at a random instant."""
        for command, signs in (("kill", BEGUN), ("start", RECOVERED)):
            before = self.told.count(signs)
            run_docker(command, self._container)
            time.sleep(self._chance.uniform(0.0, 2 * _LOOK_SECONDS))
            killed = self.installation.kill(PARTS[part])
            self._wait_for_more(signs, before)
            self._wait_for_other(part, killed)

    def _wait_for_more(self, signs: tuple[str, ...], before: int) -> None:
        eventually(lambda: self.told.count(signs) > before, f"{signs} are told", _PATIENCE)

    def _wait_for_other(self, part: str, killed: int) -> None:
        eventually(lambda: self.installation.has_other(PARTS[part], killed), part, _PATIENCE)
        eventually(self.installation.is_ready, "ready again", _PATIENCE)


def violations(told: Told, rounds: int) -> list[str]:
    """Return what was told too often, or not at all."""
    counts = {signs: told.count(signs) for signs in (BEGUN, RECOVERED)}
    return [
        f"{signs} told {count} times in {rounds} rounds: {told.titles}"
        for signs, count in counts.items()
        if count != rounds
    ]


def _handler_of(told: Told) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.titles.append(body["title"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
