"""`python -m tests.bench.watchers PORT JOB HOW_MANY`: clients of one job's event stream.

Reads the token from standard input. Prints `all listen` once every stream is open, and when the job
has ended a JSON list: for each line the seconds between its write and its arrival.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time

_WRITTEN = re.compile(rb"at=([0-9.]+)")
_LAST = b'"state": "succeeded"', b'"state":"succeeded"'


def main() -> None:
    """Read until every stream has ended."""
    port, id, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    request = (
        f"GET /api/v1/jobs/{id}/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n"
        f"Authorization: Bearer {sys.stdin.readline().strip()}\r\n\r\n"
    ).encode()
    selector = selectors.DefaultSelector()
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(request)
        selector.register(client, selectors.EVENT_READ)
    waiting = {key.fd for key in selector.get_map().values()}
    latencies: list[float] = []
    is_ready = False
    while selector.get_map():
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            chunk = connection.recv(65536)
            now = time.time()
            latencies += [now - float(written) for written in _WRITTEN.findall(chunk)]
            if b"running" in chunk:
                waiting.discard(key.fd)
            if not chunk or any(last in chunk for last in _LAST):
                selector.unregister(connection)
                connection.close()
        if not waiting and not is_ready:
            is_ready = True
            print("all listen", flush=True)
    print(json.dumps(latencies))


if __name__ == "__main__":
    main()
