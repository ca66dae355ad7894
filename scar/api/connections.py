"""Limits how many clients with an incomplete request may be connected, and for how long.

A connection costs a greenlet and a place among the server's 640. A client can hold one without a
token by sending a byte now and then. Such clients therefore get a share of the places, and each
address a part of that share; if it is used up, the connection that has waited longest is closed for
a new one. A client that sends its request promptly is never closed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import Any

import gevent  # type: ignore[import-untyped]

MOST = 192
MOST_OF_ADDRESS = 96
_SHORTEST_WAIT = 0.5
"""Seconds that each client has at least, so that clients that connect at the same moment do not
close each other.
"""


@dataclass(frozen=True)
class Client:
    """A connection: where it comes from, and its socket."""

    address: str
    socket: socket


@dataclass
class ClientWait:
    """A greenlet's wait for the head or the body of a request. Throwing `end` into the greenlet
    ends it.
    """

    client: Client
    end: BaseException
    ends_at_stop: bool
    gave_way: bool = False
    since: float = field(default_factory=time.monotonic)


class WaitingClients:
    """The waits of all connections, by greenlet, the oldest first."""

    def __init__(self) -> None:
        self._clients: dict[Any, Client] = {}
        self._waits: dict[Any, ClientWait] = {}

    @contextmanager
    def connection(self, client: Client) -> Iterator[None]:
        """Serve a client's connection in this greenlet."""
        greenlet = gevent.getcurrent()
        self._clients[greenlet] = client
        try:
            yield
        finally:
            del self._clients[greenlet]

    @contextmanager
    def waiting(self, end: BaseException, *, ends_at_stop: bool) -> Iterator[ClientWait]:
        """Surround a wait for the client in this greenlet; raise `end` in it if the connection has
        to be closed.
        """
        greenlet = gevent.getcurrent()
        wait = ClientWait(self._clients[greenlet], end, ends_at_stop)
        self._make_room(wait.client.address)
        self._waits[greenlet] = wait
        try:
            yield wait
        finally:
            del self._waits[greenlet]

    def stop(self) -> None:
        """End the waits for requests that have not begun."""
        for greenlet, wait in list(self._waits.items()):
            if wait.ends_at_stop:
                gevent.kill(greenlet, wait.end)

    def _make_room(self, address: str) -> None:
        open_waits = [(g, wait) for g, wait in self._waits.items() if not wait.gave_way]
        same = [item for item in open_waits if item[1].client.address == address]
        too_many = same if len(same) >= MOST_OF_ADDRESS else open_waits
        if too_many is open_waits and len(open_waits) < MOST:
            return
        greenlet, oldest = too_many[0]
        if time.monotonic() - oldest.since >= _SHORTEST_WAIT:
            oldest.gave_way = True
            gevent.kill(greenlet, oldest.end)
