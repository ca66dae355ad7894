"""The connection to the Docker Engine, with errors as `ScarError`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from threading import Lock

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound, create_api_error_from_http_exception

from scar.errors import ScarError

DEFAULT_HOST = "unix:///var/run/docker.sock"
TIMEOUT = 30
"""Seconds to wait for a response of the Engine, unless a call sets its own timeout."""

_UNIX = "unix://"
_FAILURES = (
    DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)


class Engine:
    """The Engine at `docker_host`, or at `DOCKER_HOST`, or at Docker's default socket.

    Connects at the first call. A forked process connects anew, because two processes must not share
    a socket; threads may share an instance.
    """

    def __init__(
        self,
        docker_host: str | None = None,
        *,
        timeout: int = TIMEOUT,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_error` is called with the code of each error."""
        self.host = docker_host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self.timeout = timeout
        self._on_error = on_error
        self._lock = Lock()
        self._api: docker.APIClient | None = None
        self._pid = 0

    @contextmanager
    def api(self) -> Iterator[docker.APIClient]:
        """Provide docker-py's client, and raise errors of the block as `ScarError`.

        `NotFound` is raised unchanged, since only the caller knows what is missing. A caller that
        changes something must catch a read timeout within the block, because the change may have
        been made.
        """
        try:
            yield self._client()
        except NotFound:
            raise
        except _FAILURES as failure:
            error = self._error(failure)
            self._on_error(error.code)
            raise error from failure

    def stream(
        self, path: str, params: Mapping[str, str | int], *, read_timeout: float | None
    ) -> requests.Response:
        """Send a GET request and return the response unread; the caller reads its `.raw` and closes
        it. Raises docker-py's `NotFound`, also for a container that is just being removed.

        Needed because docker-py has no call that returns the two streams of a log separately.
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
                if response.status_code == HTTPStatus.CONFLICT:
                    raise NotFound("it is being removed", response) from refused
                create_api_error_from_http_exception(refused)
            return response

    def version(self) -> str:
        """Return the Engine's version, such as `28.5.2`."""
        with self.api() as api:
            return str(api.version()["Version"])

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
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
                # Else requests reads the environment's proxies anew for each call.
                self._api.trust_env = not self.host.startswith("unix:")
                self._pid = os.getpid()
            return self._api

    def _error(self, failure: BaseException) -> ScarError:
        causes = tuple(_causes(failure))
        if isinstance(failure, APIError):
            words = str(failure.explanation or failure).strip()
            return ScarError(
                "internal",
                f"The Docker Engine refused: {words}",
                "The Engine's own words say why. `docker info` shows whether it is well.",
            )
        if any(isinstance(cause, PermissionError) for cause in causes):
            return self._permission_denied()
        if _is_timeout(causes):
            return ScarError(
                "docker_unavailable",
                f"The Docker Engine at {self.host} did not answer within {self.timeout} s",
                "See whether it is overloaded: `docker info` on the host should answer at once.",
            )
        # The Engine may be another version after a restart, so the next call negotiates the API
        # version again.
        self.close()
        return ScarError(
            "docker_unavailable",
            f"Cannot reach the Docker Engine at {self.host}",
            "Start Docker on the host (`systemctl start docker`), and see that the worker has its "
            "socket: `volumes: /var/run/docker.sock:/var/run/docker.sock` in docker-compose.yml.",
        )

    def _permission_denied(self) -> ScarError:
        socket = Path(socket_of(self.host))
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


def is_local(host: str) -> bool:
    """Return whether an Engine's address is a socket of this machine."""
    return host.startswith((_UNIX, "/"))


def socket_of(host: str) -> str:
    """Return the path of the socket that the address of a local Engine names."""
    return host.removeprefix(_UNIX)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all its causes, including those that requests and urllib3 store in
    `args`.
    """
    waiting: list[object] = [failure]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, *cause.args]


def _is_timeout(causes: tuple[BaseException, ...]) -> bool:
    kinds = (requests.exceptions.Timeout, TimeoutError)
    return any(isinstance(cause, kinds) for cause in causes)
