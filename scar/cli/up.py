"""`scar up`: runs every part of SCAR as a child process, and restarts those that end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import click

from scar.cli import redis_server
from scar.cli.port import require_free_port
from scar.cli.supervisor import Part, Supervisor
from scar.errors import ScarError
from scar.registration.registry import front_ends
from scar.settings import Settings
from scar.settings.state_folder import keep_private

_REDIS_SECONDS = 15.0
_LOOK_SECONDS = 0.3


@click.command()
def up() -> None:
    """The API, the worker, every configured front-end.

    Where no Redis is set, it brings its own.
    """
    settings = Settings.load()
    keep_private(settings.state_dir)
    _make_keys(settings)
    asyncio.run(_up(settings))


def _make_keys(settings: Settings) -> None:
    """Create the key of every part, before any part has to verify what another has signed."""
    from scar.keys.key_store import API, key_pair, worker_part

    names = [API, worker_part(settings.host), *(spec.name for spec in front_ends())]
    for part in names:
        key_pair(settings, part)


async def _up(settings: Settings) -> None:
    """Run every part until SIGTERM or SIGINT arrives, or until one cannot be started."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _say(f"scar      starts for host '{settings.host}'; Ctrl-C stops all of it")
    supervisor = Supervisor(_say)
    running = asyncio.create_task(_run_parts(settings, supervisor))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    _say("scar      stops every part; jobs that run are taken up at the next start")
    await supervisor.stop()
    _say("scar      has stopped")
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run_parts(settings: Settings, supervisor: Supervisor) -> None:
    """Start the embedded Redis first, if it is used, then the other parts; then wait until a
    signal.
    """
    if settings.redis_url is None:
        supervisor.start(_redis(settings))
        await _wait_for_redis(settings)
    require_free_port(settings)
    for part in _parts(settings):
        supervisor.start(part)
    for spec in front_ends():
        if problem := spec.readiness(settings).problem:
            _say(f"{spec.name:<9} is left out: {problem}")
    await _wait_for_api(settings)
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
    """Wait until Redis takes commands: after its start it reads its append-only file first."""
    from scar.redis_client import connect, redis_errors

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


async def _wait_for_api(settings: Settings) -> None:
    """Wait, however long it takes, until the API answers and a worker listens for every host, then
    print that SCAR is ready.
    """
    from scar.projects import ProjectsFile

    _say("scar      waits for the API and the worker...")
    while not await asyncio.to_thread(is_ready, settings):
        await asyncio.sleep(_LOOK_SECONDS)
    projects = ProjectsFile.of(settings)
    names = ", ".join(projects.names()) or "none yet; `scar init` writes a first projects file"
    _say(f"scar      is ready: {settings.api_url}, projects: {names}")
    if problem := projects.problem:
        _say(f"scar      {problem.message}\n          {problem.hint}")


def is_ready(settings: Settings) -> bool:
    """Return whether the API says that Redis and a worker for every host can be reached."""
    import httpx

    from scar.client import tls

    try:
        return httpx.get(
            f"{settings.api_url}/readyz", timeout=5, verify=tls(settings.api_url)
        ).is_success
    except httpx.HTTPError:
        return False


def _say(text: str) -> None:
    click.echo(text, err=True)


COMMANDS = (up,)
