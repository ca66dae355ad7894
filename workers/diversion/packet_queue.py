"""A queue of packets that wait in the kernel (linux/netfilter/nfnetlink_queue.h)."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from contextlib import suppress

from workers.diversion.hold import HeldPort
from workers.diversion.hold_rules import emptied, native_queue, rules, xtables_queue
from workers.diversion.netlink import Message, NetlinkSocket, attribute, number32
from workers.diversion.nftables import Unable

_QUEUE = 3 << 8
_CONFIG, _VERDICT_BATCH = _QUEUE | 2, _QUEUE | 3
_BIND = 1
_COPY_META = 1
_ACCEPT = 1
_EVERY = 0x7FFFFFFF
_LONGEST = 4096
"""Packets that wait. What is more is dropped, and the client sends it again after a second."""

_NUMBERS = range(41000, 61000)
_TRIES = 20


class PacketQueue:
    """Holds new connections of ports from construction until `release` or the end of the process.

    The kernel drops what waits when the process ends; clients then send it again after a second, by
    which time the rules are gone too.
    """

    def __init__(self, table: str, ports: Sequence[HeldPort]) -> None:
        """Raises `Unable` where this host cannot."""
        self._table = table
        self._queue = NetlinkSocket()
        self._queue.more_room()
        number = self._bind()
        self._rules = NetlinkSocket()
        try:
            self._rules.commit(list(rules(table, ports, number, native_queue)))
        except Unable:
            self._rules.commit(list(rules(table, ports, number, xtables_queue)))

    def fileno(self) -> int:
        """Return a descriptor that is readable when packets have come."""
        return self._queue.fileno()

    def read(self) -> None:
        """Take what the kernel says of packets that have come, so that it can say more."""
        self._queue.discard()

    def release(self) -> None:
        """Let everything go on: what comes first, then what waits."""
        self._rules.commit(list(emptied(self._table)))
        self._accept()

    def close(self) -> None:
        """Let go what another processor has put into the queue meanwhile, and remove the rules."""
        self._accept()
        self._rules.close()
        self._queue.close()

    def _accept(self) -> None:
        verdict = attribute(2, struct.pack(">II", _ACCEPT, _EVERY))
        self._queue.send(Message(_VERDICT_BATCH, verdict, resource=self._number))

    def _bind(self) -> int:
        """Take a queue that nobody has, and return its number."""
        refused: Unable | None = None
        for attempt in range(_TRIES):
            self._number = _NUMBERS[(os.getpid() + attempt) % len(_NUMBERS)]
            try:
                self._configure(attribute(1, struct.pack(">BBH", _BIND, 0, 0)))
            except Unable as taken:
                refused = taken
                continue
            self._configure(attribute(2, struct.pack(">IB", 0, _COPY_META)))
            with suppress(Unable):
                self._configure(number32(3, _LONGEST))
            return self._number
        raise Unable(f"no queue for packets (NFQUEUE): {refused}")

    def _configure(self, setting: bytes) -> None:
        self._queue.ask(Message(_CONFIG, setting, resource=self._number))
