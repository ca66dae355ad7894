"""Waiting for a condition, and ports to listen on."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0
"""The time limit of waits in seconds. It only has to be longer than a busy machine takes, since
waits end as soon as their condition holds.
"""

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str = "", seconds: float = PATIENCE) -> T:
    """Return what `look` gives as soon as it is true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not (value := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or look}"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)  # a long wait costs little CPU
    return value


def free_port() -> int:
    """Return a port that nobody listens on, on any interface. It is below those that the kernel
    gives to outgoing connections, one of which would take it before it is listened on.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
