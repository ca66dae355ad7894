"""Serve the Bot API until ended: `python -m tests.support.botapi --port 0 --token 123:ABC`.

Prints its URL first.
"""

from __future__ import annotations

import argparse
import signal
import threading

from .server import BotApiServer


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="botapi", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="123:ABC")
    parser.add_argument("--no-privacy", action="store_true", help="hear all that groups say")
    parser.add_argument("--limits", action="store_true", help="Telegram's limits per chat")
    asked = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with BotApiServer(asked.token, port=asked.port, privacy=not asked.no_privacy) as server:
        server.limits(asked.limits)
        print(server.url, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
