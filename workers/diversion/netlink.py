"""Netlink messages to netfilter: nf_tables and nfnetlink_queue (linux/netfilter/nfnetlink.h).

libnftables cannot make a rule with an extension of xtables, which some kernels need for a queue;
and no package for the queue can be installed without a compiler.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from workers.diversion.nftables import Unable

_NETLINK_NETFILTER = 12
_REQUEST, _ACK = 0x1, 0x4
_NESTED = 0x8000
_ERROR = 0x2  # NLMSG_ERROR, which with the number 0 is an acknowledgement
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NFTABLES = 10
_SO_RCVBUFFORCE = 33
_HEADER = struct.Struct("=IHHII")
_RECEIVED_BYTES = 1 << 20
_BUFFER_BYTES = 4 << 20
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Message:
    """One request: `kind` has the subsystem in its upper byte, `resource` is that of nfgenmsg."""

    kind: int
    attributes: bytes = b""
    family: int = 0
    resource: int = 0
    flags: int = 0

    def encode(self, number: int) -> bytes:
        """Return the message with a sequence number."""
        body = struct.pack(">BBH", self.family, 0, self.resource) + self.attributes
        flags = _REQUEST | self.flags
        return _HEADER.pack(_HEADER.size + len(body), self.kind, flags, number, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *values: bytes) -> bytes:
    """Return an attribute of attributes."""
    return attribute(kind | _NESTED, b"".join(values))


def number32(kind: int, value: int) -> bytes:
    """Return an attribute with a number in network order."""
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def text(kind: int, value: str) -> bytes:
    """Return an attribute with a text."""
    return attribute(kind, value.encode() + b"\0")


class NetlinkSocket:
    """A socket to netfilter. What it owns (a table, a queue) is gone when it is closed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.settimeout(_ANSWER_SECONDS)
        self._number = 0

    def fileno(self) -> int:
        """Return the descriptor, for select()."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it; do nothing where it is closed."""
        self._socket.close()

    def more_room(self) -> None:
        """Let the kernel queue more messages than is usual, which takes CAP_NET_ADMIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)

    def ask(self, message: Message) -> None:
        """Send one request and wait for its acknowledgement; raise `Unable` where it is refused."""
        self._number += 1
        self._socket.send(_with_ack(message).encode(self._number))
        self._await(self._number, 1)

    def send(self, message: Message) -> None:
        """Send one request that is not acknowledged."""
        self._number += 1
        self._socket.send(message.encode(self._number))

    def commit(self, messages: Sequence[Message]) -> None:
        """Send changes of nf_tables as one transaction; raise `Unable` where one is refused."""
        first = self._number + 1
        self._number += len(messages) + 2
        framed = [
            Message(_BATCH_BEGIN, resource=_NFTABLES),
            *map(_with_ack, messages),
            Message(_BATCH_END, resource=_NFTABLES),
        ]
        numbered = (message.encode(first + at) for at, message in enumerate(framed))
        self._socket.send(b"".join(numbered))
        self._await(first + 1, len(messages))

    def discard(self) -> None:
        """Throw away what has been received."""
        while select.select([self._socket], [], [], 0)[0]:
            with suppress(OSError):  # ENOBUFS: some were lost, and the next are there
                self._socket.recv(_RECEIVED_BYTES)

    def _await(self, first: int, count: int) -> None:
        """Wait for the acknowledgements of `count` messages from the number `first` on.

        Those of earlier ones may be there still: a transaction has one for each part, and the
        first that is refused is reported.
        """
        waiting = set(range(first, first + count))
        while waiting:
            data = self._socket.recv(_RECEIVED_BYTES)
            while len(data) >= _HEADER.size:
                length, kind, _, number, _ = _HEADER.unpack_from(data)
                if kind == _ERROR and number >= first - 1:  # the batch itself has the one before
                    (refused,) = struct.unpack_from("=i", data, _HEADER.size)
                    if refused:
                        raise Unable(os.strerror(-refused))
                    waiting.discard(number)
                data = data[(length + 3) & ~3 :]


def _with_ack(message: Message) -> Message:
    return Message(
        message.kind, message.attributes, message.family, message.resource, message.flags | _ACK
    )
