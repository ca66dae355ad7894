"""`python -m tests.bench.watchers PORT PATH HOW_MANY`: clients of one job's event stream.

Reads the header that lets them in from standard input. Prints `all listen` once every stream is
open, and when the job has ended a JSON list: for each line the seconds between its write and its
arrival.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time

_WRITTEN = re.compile(rb"at=([0-9.]+)")
_LAST = b'"state": "succeeded"', b'"state":"succeeded"', b"event: end"


def main() -> None:
    """Read until every stream has ended."""
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
        f"{sys.stdin.readline().strip()}\r\n\r\n"
    ).encode()
    selector = selectors.DefaultSelector()
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(request)
        head = b""
        while b"running" not in head:  # one after the other: people do not come all at once
            chunk = client.recv(65536)
            head += chunk
            assert chunk, head
            assert head.startswith(b"HTTP/1.1 200"), head
        selector.register(client, selectors.EVENT_READ)
    print("all listen", flush=True)
    latencies: list[float] = []
    while selector.get_map():
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            chunk = connection.recv(65536)
            now = time.time()
            latencies += [now - float(written) for written in _WRITTEN.findall(chunk)]
            if not chunk or any(last in chunk for last in _LAST):
                selector.unregister(connection)
                connection.close()
    print(json.dumps(latencies))


if __name__ == "__main__":
    main()
