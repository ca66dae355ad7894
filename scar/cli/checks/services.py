"""Checks of SCAR's own parts (Redis, the workers, the API) and of the configured roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from scar.api.hosts import live_workers
from scar.cli.api_client import connect as connect_to_api
from scar.cli.checks.check import Check
from scar.cli.checks.worker_keys import compare_keys
from scar.errors import ScarError
from scar.keys.key_store import trusted_keys
from scar.projects import ProjectsFile
from scar.redis_client import connect, redis_errors
from scar.registration.spec import Finding
from scar.settings import Settings


def _check_redis(settings: Settings) -> Iterator[Finding]:
    if settings.redis_url is None and not settings.redis_socket.exists():
        yield Finding("redis", "the embedded Redis does not run", "Start it with `scar up`.")
        return
    try:
        with redis_errors():
            server: Any = connect(settings.effective_redis_url, timeout=3).info("server")
    except ScarError as error:
        hint = error.hint if settings.redis_url else "Start it with `scar up`."
        yield Finding("redis", error.message, hint)
        return
    yield Finding("redis", f"version {server['redis_version']}")


def _check_workers(settings: Settings) -> Iterator[Finding]:
    hosts = {project.host for project in ProjectsFile.of(settings).projects.values()}
    redis = connect(settings.effective_redis_url, timeout=3)
    for host, workers in sorted(live_workers(redis, hosts | {settings.host}).items()):
        remedy = "" if workers else f"Start one there: SCAR_HOST={host} scar worker"
        detail = f"{len(workers)} alive" if workers else "none listens"
        yield Finding(f"worker of '{host}'", detail, remedy)
        for worker in workers:
            with redis_errors():
                heartbeat: Any = redis.hgetall(f"scar:worker:{worker}")
            yield from compare_keys(host, heartbeat, trusted_keys(settings))


def _check_api(settings: Settings) -> Iterator[Finding]:
    remedy = "Start it with `scar up` or `scar api`, or set SCAR_API_URL."
    try:
        response = httpx.get(f"{settings.api_url}/healthz", timeout=5)
    except httpx.HTTPError as error:
        yield Finding("api", f"{settings.api_url}: {type(error).__name__}", remedy)
        return
    detail = f"{settings.api_url} answers {response.status_code}"
    yield Finding("api", detail, "" if response.is_success else remedy)


def _check_token(settings: Settings) -> Iterator[Finding]:
    """Ask the API whether it accepts the shell's token, or without a token its key."""
    client = connect_to_api(settings)
    try:
        client.request("GET", "/jobs", params={"limit": 1})
    except ScarError as error:
        if error.code == "forbidden":
            yield Finding("shell", "the API knows it")
        elif error.code != "unauthorized":
            raise
        elif settings.api_token is not None:
            yield Finding(
                "SCAR_API_TOKEN",
                "the API does not know it",
                "Set it to the SECRET of an entry NAME:ROLE:SECRET of the API's SCAR_API_TOKENS.",
            )
        else:
            yield Finding(
                "key",
                "the API does not accept what is signed with this shell's key",
                "`scar keys` shows the key of `console` here; `scar keys add console KEY` makes it "
                "known on the API's host. Or set SCAR_API_TOKEN.",
            )
        return
    yield Finding("shell", "the API knows it")


CHECKS = (
    Check("redis", _check_redis),
    Check("workers", _check_workers, needs=("redis",)),
    Check("api", _check_api, needs=("redis",)),
    Check("shell", _check_token, needs=("api", "key")),
)
