"""Says in words how a container ended."""

from __future__ import annotations

import signal

_SIGNALLED = 128
_WORDS = {
    0: "it ended by itself, without an error (exit code 0)",
    125: "Docker could not run it (exit code 125)",
    126: "its command cannot be executed (exit code 126)",
    127: "its command was not there (exit code 127)",
    128 + signal.SIGABRT: "it aborted itself (SIGABRT, exit code 134)",
    128 + signal.SIGKILL: "it was killed (SIGKILL, exit code 137), not for its memory",
    128 + signal.SIGSEGV: "it crashed (segmentation fault, exit code 139)",
    128 + signal.SIGTERM: "it was asked to end (SIGTERM, exit code 143)",
    128 + signal.SIGINT: "it was interrupted (SIGINT, exit code 130)",
}


def exit_words(code: int, *, out_of_memory: bool = False) -> str:
    """Return how a container ended. The exit code 137 does not tell whether it ran out of memory,
    which the Engine reports separately.
    """
    if out_of_memory:
        return f"the kernel killed it because it ran out of memory (exit code {code})"
    if code in _WORDS:
        return _WORDS[code]
    if code > _SIGNALLED:
        return f"it was ended by {_signal_name(code - _SIGNALLED)} (exit code {code})"
    return f"it failed with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
