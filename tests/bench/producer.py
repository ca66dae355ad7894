"""`python -m tests.bench.producer COUNT KEY`: sends bare messages as fast as it can.

Begins when standard input is closed; the last message makes the worker push to `KEY`.
"""

from __future__ import annotations

import sys

from tests.bench.bare import QUEUE, app


def main() -> None:
    """Sends `COUNT` messages, shaped like a job's bell."""
    count, key = int(sys.argv[1]), sys.argv[2]
    id, signature = "0" * 26, "s" * 43
    with app.connection_for_write() as connection:
        connection.ensure_connection()
    print("ready", flush=True)
    sys.stdin.read()
    for _ in range(count - 1):
        app.send_task("bare.nothing", args=[id, signature], queue=QUEUE, ignore_result=True)
    app.send_task("bare.last", args=[key], queue=QUEUE, ignore_result=True)


if __name__ == "__main__":
    main()
