"""`scar up`: every part of SCAR, each in a process of its own, started again when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import click

from scar.cli import redis_server
from scar.cli.parent_death import die_with_parent
from scar.errors import ScarError
from scar.redis_client import connect, redis_errors
from scar.settings import Settings

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 5.0
_STEADY_SECONDS = 30.0
_GRACE_SECONDS = 6.0
_REDIS_SECONDS = 15.0


@dataclass(frozen=True)
class Part:
    """A process to keep up. `dies_by` is what it gets when `scar up` itself is killed."""

    name: str
    about: str
    arguments: list[str]
    dies_by: signal.Signals = signal.SIGTERM
    descriptors: tuple[int, ...] = field(default=())


class Supervisor:
    """Keeps parts up until it is told to stop."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    def start(self, part: Part) -> None:
        """Starts a part, and starts it again whenever it ends."""
        self._keepers[part.name] = asyncio.create_task(self._keep(part))

    async def stop(self) -> None:
        """Ends all parts; the first, on which the others rest, after them."""
        for keeper in self._keepers.values():
            keeper.cancel()
        names = list(self._keepers)
        await self._end(names[1:])
        await self._end(names[:1])

    async def _end(self, names: list[str]) -> None:
        """Asks, and kills where that takes too long."""
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
            began = clock()
            process = await asyncio.create_subprocess_exec(
                *part.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=part.descriptors,
                preexec_fn=partial(die_with_parent, os.getpid(), part.dies_by),
            )
            self._processes[part.name] = process
            self._say(f"{part.name:<9} {part.about} (pid {process.pid})")
            code = await process.wait()
            if code == os.EX_CONFIG:
                self._say(f"{part.name:<9} cannot start: see the line above; it is left out")
                return
            backoff = _FIRST_BACKOFF if clock() - began > _STEADY_SECONDS else backoff
            self._say(f"{part.name:<9} ended ({_ending(code)}), again in {backoff:.1f}s")
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


@click.command()
def up() -> None:
    """Everything: API, worker, every configured front-end, and a Redis where none is set."""
    settings = Settings.load()
    settings.signing_key()
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(lambda text: click.echo(text, err=True))
    working = asyncio.create_task(_work(settings, supervisor))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel()
    await supervisor.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _work(settings: Settings, supervisor: Supervisor) -> None:
    if settings.redis_url is None:
        supervisor.start(_redis(settings))
        await _redis_answers(settings)
    for part in _parts(settings):
        supervisor.start(part)
    if settings.github_webhook_secret is not None and not settings.has_github_credentials:
        missing = "SCAR_GITHUB_TOKEN is not set, nor is SCAR_GITHUB_APP_KEY"
        click.echo(f"{'github':<9} is left out: {missing}", err=True)
    await asyncio.Event().wait()


def _parts(settings: Settings) -> list[Part]:
    def scar(name: str) -> list[str]:
        return [sys.executable, "-m", "scar.cli", name]

    url = settings.api_url
    found = [
        Part("api", f"{url}, documentation at {url}/docs", scar("api")),
        # A worker that outlived its Redis would wait for it; what it holds is recovered anyway.
        Part("worker", f"for host '{settings.host}'", scar("worker"), dies_by=signal.SIGKILL),
    ]
    if settings.telegram_token is not None:
        found.append(Part("telegram", f"polls {settings.telegram_api_url}", scar("telegram")))
    if settings.github_webhook_secret is not None and settings.has_github_credentials:
        about = f"{url}/github/webhook, answers at {settings.github_api_url}"
        found.append(Part("github", about, scar("github")))
    return found


def _redis(settings: Settings) -> Part:
    lock = redis_server.lock_folder(settings)
    about = f"embedded, in {settings.state_dir / 'redis'}"
    return Part("redis", about, redis_server.command_line(settings), descriptors=(lock,))


async def _redis_answers(settings: Settings) -> None:
    """Waits until Redis takes commands; with a long file to read that is later than its start."""
    client = connect(settings.effective_redis_url)
    deadline = asyncio.get_running_loop().time() + _REDIS_SECONDS
    while True:
        try:
            with redis_errors():
                await asyncio.to_thread(client.ping)
            return
        except ScarError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)


COMMANDS = (up,)
