"""Follows the log of a container, across its restarts, its replacement and broken connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic, sleep

from docker.errors import NotFound

from scar.errors import ScarError
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.log_lines import log_decoder
from workers.engine.log_position import OVERLAP, FollowedLines, LogPosition, LogReader, shifted
from workers.engine.log_source import EngineSource, LogSource
from workers.engine.shared_logs import SharedLogs

_CHECK_SECONDS = 0.2
_JOINS = 3


class FollowedLog:
    """The log of the container called `name`. Where this host shares its followed logs, it is read
    from there, so that any number of followers cost the Engine one stream.
    """

    def __init__(
        self, engine: Engine, containers: Containers, name: str, shared: SharedLogs
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._name = name
        self._shared = shared

    def now(self) -> str:
        """Return the time of the Engine's clock, as a line's `at`."""
        with self._engine.api() as api:
            at = datetime.fromisoformat(api.info()["SystemTime"]).astimezone(UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z"

    def lines(self, position: LogPosition, *, check: Callable[[], None]) -> Iterator[FollowedLines]:
        """Yield the lines as they are written, behind a position.

        They continue when the container is restarted or recreated, and when a connection breaks; no
        line is new twice, and none is left out that the Engine still has. `check` is called at
        least five times a second; an exception of it ends the generator.
        """
        is_fresh = True
        while True:
            for lines in self._until_it_ends(position, check):
                position = lines.position
                if lines.new or is_fresh:
                    yield lines if is_fresh else replace(lines, before=())
                is_fresh = is_fresh and not lines.new
            check()
            container_id = self._await_running(check)
            if container_id != position.container:
                position = LogPosition(container_id)
                yield FollowedLines((), position, replaced=True)

    def _await_running(self, check: Callable[[], None]) -> str:
        """Wait until the container runs, since it may be stopped or about to be recreated;
        return its id.
        """
        while True:
            _pause(0.5, check)
            for container in self._containers.all():
                if container.name == self._name and container.is_up:
                    return container.id

    def _until_it_ends(
        self, position: LogPosition, check: Callable[[], None]
    ) -> Iterator[FollowedLines]:
        """Yield the lines behind a position until the container ends or a connection breaks."""
        reader = LogReader(position)
        try:
            tty = self._containers.inspect(position.container).tty
            for _ in range(_JOINS):
                shared = self._shared.open(position.container, reader.since, check)
                if shared is None:
                    break
                if shared.since <= reader.since:
                    yield from _read(shared, reader, check, tty=tty)
                    return
                shared.close()
                yield from self._catch_up(reader, shared.since, check, tty=tty)
            yield from _read(self._open(reader, follow=True), reader, check, tty=tty)
        except NotFound:
            return
        except ScarError as error:
            if error.code != "container_not_found":
                raise

    def _catch_up(
        self, reader: LogReader, since: str, check: Callable[[], None], *, tty: bool
    ) -> Iterator[FollowedLines]:
        """Yield what was written before a late follower came, up to where others read already: they
        have the log from the time `since` on.
        """
        while shifted(since, OVERLAP) > self.now():  # a line before that may still come
            _pause(0.2, check)
        reader.count_from(since)
        yield from _read(self._open(reader, follow=False), reader, check, tty=tty)
        reader.go_on_at_floor()

    def _open(self, reader: LogReader, *, follow: bool) -> EngineSource:
        return EngineSource.open(
            self._engine, reader.position.container, reader.since, follow=follow
        )


def _read(
    source: LogSource, reader: LogReader, check: Callable[[], None], *, tty: bool
) -> Iterator[FollowedLines]:
    """Yield the lines of a source until it ends, and close it."""
    decoder = log_decoder(tty=tty)
    try:
        while True:
            check()
            chunk = source.read(_CHECK_SECONDS)
            if chunk is None:
                continue
            if lines := decoder.feed(chunk) if chunk else decoder.end():
                yield reader.take(lines)
            if not chunk:
                return
    finally:
        source.close()


def _pause(seconds: float, check: Callable[[], None]) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        check()
        sleep(0.1)
