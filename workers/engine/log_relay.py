"""Shares followed logs: one stream of the Engine for all who follow a container on this host."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import structlog
from docker.errors import NotFound

from scar.errors import ScarError
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.log_source import EngineSource
from workers.engine.relayed_log import RelayedLog
from workers.engine.shared_logs import read_line, send_line, shut_down, socket_address

_REQUEST_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class LogRelay:
    """Listens on the socket `path`; each follower has a thread here, and each container one.

    Nothing is lost with it: a follower whose connection ends goes on at its own position.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._containers = Containers(engine)
        self._path = path
        self._lock = threading.Lock()
        self._logs: dict[str, Future[RelayedLog]] = {}
        self._stopped = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connections = {self._listener}
        self._thread = threading.Thread(target=self._accept, name="log-relay", daemon=True)

    def start(self) -> None:
        """Listen; where that cannot be, each follower reads from the Engine."""
        try:
            self._path.unlink(missing_ok=True)
            with socket_address(self._path) as address:
                self._listener.bind(address)
            os.chmod(self._path, 0o600)
            self._listener.listen()
            os.register_at_fork(after_in_child=self._close_copies)
        except OSError as error:
            _log.warning("logs are not shared", reason=str(error))
            return
        self._thread.start()

    def stop(self) -> None:
        """End all streams; one that the Engine is yet to begin ends then."""
        shut_down(self._listener)
        with self._lock:
            self._stopped = True
            for log in self._logs.values():
                if log.done() and log.exception() is None:
                    log.result().end()

    def _accept(self) -> None:
        with suppress(OSError):  # it was stopped
            while True:
                connection, _ = self._listener.accept()
                self._connections.add(connection)
                threading.Thread(
                    target=self._serve, args=(connection,), name="log-relay", daemon=True
                ).start()

    def _close_copies(self) -> None:
        """Close what a forked process has inherited: a follower would else not see that this one
        has ended.
        """
        for connection in tuple(self._connections):
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.settimeout(_REQUEST_SECONDS)
                asked = read_line(connection)
                log = self._log_of(asked["container"], asked["since"])
                since, follower = log.join()
                try:
                    send_line(connection, {"since": since})
                    follower.send_all(connection)
                finally:
                    log.leave(follower)
            except (OSError, ValueError, LookupError):
                return  # the follower has gone
            except NotFound:
                return
            except ScarError as error:
                _log.info("log not shared", reason=error.message)
            finally:
                self._connections.discard(connection)

    def _log_of(self, container_id: str, since: str) -> RelayedLog:
        """Return the log of a container, begun now where nobody follows it. The Engine may take
        long to begin one: only who follows the same container waits for it.
        """
        with self._lock:
            self._logs = {id: log for id, log in self._logs.items() if not _has_ended(log)}
            known = self._logs.get(container_id)
            log = known or self._logs.setdefault(container_id, Future())
        if known is None:
            self._begin(log, container_id, since)
        return log.result()

    def _begin(self, log: Future[RelayedLog], container_id: str, since: str) -> None:
        try:
            tty = self._containers.inspect(container_id).tty
            source = EngineSource.open(self._engine, container_id, since, follow=True)
            begun = RelayedLog.begin(source, since, tty=tty)
        except BaseException as error:
            log.set_exception(error)
            raise
        with self._lock:
            log.set_result(begun)
            if self._stopped:
                begun.end()


def _has_ended(log: Future[RelayedLog]) -> bool:
    return log.done() and (log.exception() is not None or log.result().has_ended)
