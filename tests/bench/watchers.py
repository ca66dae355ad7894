"""`python -m tests.bench.watchers PORT JOB HOW_MANY`: clients of one job's event stream.

The token comes by standard input. Prints `all listen`, and when the job has ended a JSON list of
how many seconds after its writing each line was read.
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
    """Reads until every stream has ended."""
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
    said = False
    while selector.get_map():
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            chunk = connection.recv(65536)
            now = time.time()
            latencies += [now - float(found) for found in _WRITTEN.findall(chunk)]
            if b"running" in chunk:
                waiting.discard(key.fd)
            if not chunk or any(last in chunk for last in _LAST):
                selector.unregister(connection)
                connection.close()
        if not waiting and not said:
            said = True
            print("all listen", flush=True)
    print(json.dumps(latencies))


if __name__ == "__main__":
    main()
