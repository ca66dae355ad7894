"""The rules that put new connections of a port into a queue (linux/netfilter/nf_tables.h).

They stand where the kernel's `raw` tables do: before connection tracking and address translation,
so that what is let go is sent to the container that is published then. The table belongs to the
socket that makes it (`NFT_TABLE_F_OWNER`): the kernel removes it with the process.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence

from workers.diversion.hold import HeldPort
from workers.diversion.netlink import Message, attribute, nested, number32, text

MARK = 0x53434152
"""The mark of the program's own connections, which are not held."""

_NFTABLES = 10 << 8
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE, _DELETE_RULE = (_NFTABLES | kind for kind in (0, 3, 6, 8))
_CREATE, _APPEND = 0x400, 0x800
_OWNER = 0x2
_INET = 1  # both IPv4 and IPv6
_IPV4 = 2
_CHAINS = {"pre": 0, "out": 3}  # NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT
_RAW = -300
_REGISTER = 1
_MARK_KEY, _FAMILY_KEY, _PROTOCOL_KEY = 3, 15, 16
_NETWORK, _TRANSPORT = 1, 2
_EQUAL, _OTHER = 0, 1
_ADDRESS_TYPE, _OF_DESTINATION, _LOCAL = 3, 2, 2
_SYN, _SYN_ACK_RST_FIN = 0x02, 0x17
_BYPASS = 1

Verdict = Callable[[int], bytes]
"""Makes the expression that puts a packet into the queue of a number. Without a listener the
packet goes on (bypass)."""


def native_queue(number: int) -> bytes:
    """Return nf_tables' own expression, which is a module of its own (nft_queue)."""
    values = ((1, number), (2, 1), (3, _BYPASS))
    return _expression("queue", *(attribute(k, struct.pack(">H", v)) for k, v in values))


def xtables_queue(number: int) -> bytes:
    """Return the target NFQUEUE of xtables, as iptables-nft uses it (nft_compat, xt_NFQUEUE)."""
    info = struct.pack("=HHHxx", number, 1, _BYPASS)  # xt_NFQ_info_v2, padded
    return _expression("target", text(1, "NFQUEUE"), number32(2, 2), attribute(3, info))


def rules(table: str, ports: Sequence[HeldPort], queue: int, verdict: Verdict) -> Iterator[Message]:
    """Yield what makes the table."""
    yield _make(_NEW_TABLE, text(1, table), number32(2, _OWNER))
    for chain, hook in _CHAINS.items():
        place = nested(4, number32(1, hook), number32(2, _RAW))
        yield _make(_NEW_CHAIN, text(1, table), text(3, chain), place, text(7, "filter"))
        for port in ports:
            expressions = nested(4, *_matches(port), verdict(queue))
            yield _make(_NEW_RULE, text(1, table), text(2, chain), expressions, flags=_APPEND)


def emptied(table: str) -> Iterator[Message]:
    """Yield what empties the chains. They stay: with a chain, the kernel would drop all that waits
    in queues.
    """
    for chain in _CHAINS:
        yield Message(_DELETE_RULE, text(1, table) + text(2, chain), family=_INET)


def _make(kind: int, *attributes: bytes, flags: int = 0) -> Message:
    return Message(kind, b"".join(attributes), family=_INET, flags=_CREATE | flags)


def _matches(port: HeldPort) -> Iterator[bytes]:
    """Yield the expressions for the first packet of a connection to a port of this host."""
    yield _load("meta", number32(2, _PROTOCOL_KEY))
    yield _compare(bytes([socket.IPPROTO_TCP]))
    yield _payload(_TRANSPORT, 2, 2)
    yield _compare(struct.pack(">H", port.port))
    yield _payload(_TRANSPORT, 13, 1)
    yield _masked(bytes([_SYN_ACK_RST_FIN]))
    yield _compare(bytes([_SYN]))
    yield _load("meta", number32(2, _MARK_KEY))
    yield _compare(struct.pack("=I", MARK), _OTHER)
    if port.host_ip:
        yield _load("meta", number32(2, _FAMILY_KEY))
        yield _compare(bytes([_IPV4]))
        yield _payload(_NETWORK, 16, 4)
        yield _compare(socket.inet_aton(port.host_ip))
    else:
        yield _load("fib", number32(2, _ADDRESS_TYPE), number32(3, _OF_DESTINATION))
        yield _compare(struct.pack("=I", _LOCAL))


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


def _load(name: str, *attributes: bytes) -> bytes:
    return _expression(name, number32(1, _REGISTER), *attributes)


def _payload(base: int, offset: int, length: int) -> bytes:
    return _load("payload", number32(2, base), number32(3, offset), number32(4, length))


def _masked(mask: bytes) -> bytes:
    both = number32(1, _REGISTER), number32(2, _REGISTER), number32(3, len(mask))
    return _expression("bitwise", *both, _data(4, mask), _data(5, bytes(len(mask))))


def _compare(value: bytes, operator: int = _EQUAL) -> bytes:
    return _expression("cmp", number32(1, _REGISTER), number32(2, operator), _data(3, value))


def _data(kind: int, value: bytes) -> bytes:
    return nested(kind, attribute(1, value))
