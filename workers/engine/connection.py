"""One connection to the Docker Engine, and what its failures are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound, create_api_error_from_http_exception

from scar.errors import ScarError

DEFAULT_HOST = "unix:///var/run/docker.sock"
TIMEOUT = 30
"""Seconds the Engine has for an answer, unless a call says otherwise."""

_FAILURES = (
    DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)


class Engine:
    """The Engine at `docker_host`, or at `DOCKER_HOST`, or at Docker's default socket.

    Nothing is connected before the first call, and a forked process makes a connection of its own:
    two processes must not share a socket. Safe to use from several threads.
    """

    def __init__(self, docker_host: str | None = None, *, timeout: int = TIMEOUT) -> None:
        self.host = docker_host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self.timeout = timeout
        self._lock = Lock()
        self._api: docker.APIClient | None = None
        self._pid = 0

    @contextmanager
    def api(self) -> Iterator[docker.APIClient]:
        """docker-py's client. Whatever fails inside the block leaves it as a `ScarError`,
        except `NotFound`, which only the caller can name, and a read timeout of a change,
        which it catches itself.
        """
        try:
            yield self._client()
        except NotFound:
            raise
        except _FAILURES as failure:
            raise self._named(failure) from failure

    def stream(self, path: str, params: dict[str, Any], *, read_timeout: float | None) -> Any:
        """An unread `requests.Response` of a GET, to be read with `.raw` and closed.

        docker-py has no call that keeps the two streams of a log apart; this is the same request.
        """
        with self.api() as api:
            response = api.get(
                f"{api.base_url}/v{api.api_version}{path}",
                params=params,
                stream=True,
                timeout=(self.timeout, read_timeout),
            )
            try:
                response.raise_for_status()
            except requests.exceptions.HTTPError as refused:
                create_api_error_from_http_exception(refused)
            return response

    def version(self) -> str:
        """The Engine's version, such as `28.5.2`."""
        with self.api() as api:
            return str(api.version()["Version"])

    def close(self) -> None:
        """Drops the connection; the next call makes a new one."""
        with self._lock:
            if self._api is not None and self._pid == os.getpid():
                self._api.close()
            self._api = None

    def _client(self) -> docker.APIClient:
        with self._lock:
            if self._api is None or self._pid != os.getpid():
                self._api = docker.APIClient(
                    base_url=self.host, version="auto", timeout=self.timeout, max_pool_size=32
                )
                # No proxy leads to a socket, and looking for one costs a third of each request.
                self._api.trust_env = not self.host.startswith("unix://")
                self._pid = os.getpid()
            return self._api

    def _named(self, failure: BaseException) -> ScarError:
        causes = tuple(_causes(failure))
        if isinstance(failure, APIError):
            words = str(failure.explanation or failure).strip()
            return ScarError(
                "internal",
                f"The Docker Engine refused: {words}",
                "The Engine's own words say why. `docker info` shows whether it is well.",
            )
        if any(isinstance(cause, PermissionError) for cause in causes):
            return self._denied()
        if _is_timeout(causes):
            return ScarError(
                "docker_unavailable",
                f"The Docker Engine at {self.host} did not answer within {self.timeout} s",
                "See whether it is overloaded: `docker info` on the host should answer at once.",
            )
        # The next call negotiates anew: what comes back may be another version of the Engine.
        self.close()
        return ScarError(
            "docker_unavailable",
            f"Cannot reach the Docker Engine at {self.host}",
            "Start Docker on the host (`systemctl start docker`), and see that the worker has its "
            "socket: `volumes: /var/run/docker.sock:/var/run/docker.sock` in docker-compose.yml.",
        )

    def _denied(self) -> ScarError:
        socket = Path(self.host.removeprefix("unix://"))
        try:
            group = str(socket.stat().st_gid)
        except OSError:
            hint = (
                f"Let the worker's user into the folder of {socket}, then add the socket's group "
                "to it in docker-compose.yml (`group_add`) and restart SCAR."
            )
        else:
            hint = (
                f"The socket belongs to group {group}: add it to the worker in docker-compose.yml "
                f'(`group_add: ["{group}"]`, that is group_add: "{group}") and restart SCAR.'
            )
        return ScarError("docker_permission_denied", f"Permission denied accessing {socket}", hint)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The failure and everything it was raised from; requests and urllib3 also hide it in args."""
    waiting: list[object] = [failure]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__cause__, found.__context__, *found.args]


def _is_timeout(causes: tuple[BaseException, ...]) -> bool:
    kinds = (requests.exceptions.Timeout, TimeoutError)
    return any(isinstance(cause, kinds) for cause in causes)
