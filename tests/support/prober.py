"""Measures downtime independently of the code under test."""

from __future__ import annotations

import threading
import time
from urllib.error import URLError
from urllib.request import urlopen


class Prober:
    """Sends fifty requests a second to a port of this machine, from construction until `stop`.

    `answered` is whether the port ever has. `longest_pause` is the longest time between two
    answers, in seconds: what `down` is exact to.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._end = threading.Event()
        self.answered = False
        self.down = 0.0
        self.longest_pause = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        last, answered = time.monotonic(), True
        while not self._end.is_set():
            now = self._answers()
            self.answered = self.answered or now
            moment = time.monotonic()
            self.longest_pause = max(self.longest_pause, moment - last)
            self.down += 0.0 if answered and now else moment - last
            last, answered = moment, now
            self._end.wait(0.02)

    def _answers(self) -> bool:
        try:
            with urlopen(self._url, timeout=1):
                return True
        except URLError as refused:
            return hasattr(refused, "code")  # an HTTP status, such as 404, is an answer
        except OSError:
            return False

    def stop(self) -> float:
        """Stop probing and return the seconds in which the port did not answer."""
        self._end.set()
        self._thread.join()
        return self.down
