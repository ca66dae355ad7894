"""Keeps processes running: restarts each one that ends, and stops all of them together."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from scar.cli.parent_death import die_with_parent

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 5.0
_STEADY_SECONDS = 30.0
"""A process that has run for this many seconds is restarted with the shortest delay again."""

_GRACE_SECONDS = 6.0


@dataclass(frozen=True)
class Part:
    """A process to keep running.

    `death_signal` is the signal that the kernel sends it if `scar up` itself is killed. The process
    inherits `descriptors`.
    """

    name: str
    about: str
    arguments: list[str]
    death_signal: signal.Signals = signal.SIGTERM
    descriptors: tuple[int, ...] = field(default=())


class Supervisor:
    """Keeps the parts running until `stop` is called; `log` receives the lines they print."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    def start(self, part: Part) -> None:
        """Start a part, and restart it each time it ends."""
        self._keepers[part.name] = asyncio.create_task(self._keep(part))

    async def stop(self) -> None:
        """Stop all parts, the first-started one last, because the others depend on it."""
        for keeper in self._keepers.values():
            keeper.cancel()
        names = list(self._keepers)
        await self._end(names[1:])
        await self._end(names[:1])

    async def _end(self, names: list[str]) -> None:
        """Send SIGTERM to the parts, and SIGKILL to those still running after the grace period."""
        processes = [self._processes[name] for name in names if name in self._processes]
        for process in processes:
            _signal(process, signal.SIGTERM)
        waits = [asyncio.create_task(process.wait()) for process in processes]
        if waits:
            await asyncio.wait(waits, timeout=_GRACE_SECONDS)
        for process in processes:
            _signal(process, signal.SIGKILL)
        await asyncio.gather(*waits)

    async def _keep(self, part: Part) -> None:
        backoff = _FIRST_BACKOFF
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            process = self._processes[part.name] = await _start_process(part)
            self._log(f"{part.name:<9} {part.about} (pid {process.pid})")
            code = await process.wait()
            if code == os.EX_CONFIG:
                self._log(f"{part.name:<9} cannot start: see the line above; it is left out")
                return
            backoff = _FIRST_BACKOFF if clock() - started > _STEADY_SECONDS else backoff
            self._log(f"{part.name:<9} ended ({_describe_exit(code)}), again in {backoff:.1f}s")
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF)


async def _start_process(part: Part) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *part.arguments,
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=part.descriptors,
        preexec_fn=partial(die_with_parent, os.getpid(), part.death_signal),
    )


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _describe_exit(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
