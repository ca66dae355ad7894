"""`scar up`: runs every part of SCAR as a child process, and restarts those that end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import click

from scar.cli import redis_server
from scar.cli.supervisor import Part, Supervisor
from scar.errors import ScarError
from scar.redis_client import connect, redis_errors
from scar.registration.registry import front_ends
from scar.settings import Settings

_REDIS_SECONDS = 15.0


@click.command()
def up() -> None:
    """Everything: API, worker, every configured front-end, and a Redis where none is set."""
    settings = Settings.load()
    settings.signing_key()
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    """Run every part until SIGTERM or SIGINT arrives, or until one cannot be started."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(lambda text: click.echo(text, err=True))
    running = asyncio.create_task(_run_parts(settings, supervisor))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    await supervisor.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run_parts(settings: Settings, supervisor: Supervisor) -> None:
    """Start the embedded Redis first, if it is used, then the other parts; then wait until a
    signal.
    """
    if settings.redis_url is None:
        supervisor.start(_redis(settings))
        await _wait_for_redis(settings)
    for part in _parts(settings):
        supervisor.start(part)
    for spec in front_ends():
        if problem := spec.readiness(settings).problem:
            click.echo(f"{spec.name:<9} is left out: {problem}", err=True)
    await asyncio.Event().wait()


def _parts(settings: Settings) -> list[Part]:
    def scar(name: str) -> list[str]:
        return [sys.executable, "-m", "scar.cli", name]

    url = settings.api_url
    parts = [
        Part("api", f"{url}, documentation at {url}/docs", scar("api")),
        # SIGKILL instead of SIGTERM, after which a worker could go on waiting for a Redis that has
        # ended. The next worker recovers jobs that were interrupted.
        Part("worker", f"for host '{settings.host}'", scar("worker"), death_signal=signal.SIGKILL),
    ]
    for spec in front_ends():
        if about := spec.readiness(settings).about:
            parts.append(Part(spec.name, about, scar(spec.shell_command)))
    return parts


def _redis(settings: Settings) -> Part:
    lock = redis_server.lock_folder(settings)
    about = f"embedded, in {settings.state_dir / 'redis'}"
    return Part("redis", about, redis_server.command_line(settings), descriptors=(lock,))


async def _wait_for_redis(settings: Settings) -> None:
    """Wait until Redis accepts commands; after its start it first loads its append-only file."""
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
