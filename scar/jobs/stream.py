"""Reading a job's events as they are written.

One thread per process reads all the streams that anybody watches, with one blocking XREAD, and
hands each event to its watchers: fifty watchers cost one read. A watcher can give it a way to send
an event at once, so that fifty watchers do not cost fifty changes of thread either.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from scar.errors import ScarError
from scar.jobs.event import Event, event_of
from scar.jobs.ledger import Ledger
from scar.jobs.record import JobState
from scar.redis_client import redis_errors

_BLOCK_MS = 1000
_PAGE = 1000


Send = Callable[[Event], bool]
"""Sends an event without waiting; False where it could not and has not."""


class Watch:
    """One watcher of one job, who has had its events up to `last`.

    `busy` is held by the watcher except while it waits on `queue`. The reader takes it to send an
    event itself, which it does only where that event is the next one.
    """

    def __init__(self, id: str, last: int, send: Send | None) -> None:
        self.id = id
        self.last = last
        self.queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.busy = threading.Lock()
        self.busy.acquire()
        self._send = send

    def hand(self, event: Event) -> None:
        """Called by the reader: sends the event, or leaves it to the watcher."""
        if self._send and self.busy.acquire(blocking=False):
            try:
                if event.id == self.last + 1 and self._send(event):
                    self.last = event.id
                    if not ends(event):
                        return
            finally:
                self.busy.release()
        self.queue.put(event)

    def wait(self, seconds: float) -> Event | None:
        """What the reader left; raises `queue.Empty`."""
        self.busy.release()
        try:
            return self.queue.get(timeout=seconds)
        finally:
            self.busy.acquire()


class EventStream:
    """Lets any number of threads follow jobs over one connection.

    `redis` must be a client of its own with a socket timeout above one second, since its
    connection is blocked while nothing happens.
    """

    def __init__(self, redis: Redis, ledger: Ledger) -> None:
        self._redis = redis
        self._ledger = ledger
        self._lock = threading.Lock()
        self._watches: dict[str, set[Watch]] = {}
        self._cursors: dict[str, int] = {}
        self._wanted = threading.Event()
        self._changed = f"scar:wake:{id(self)}:{threading.get_native_id()}"
        self._thread: threading.Thread | None = None
        self.closed = threading.Event()

    def close(self) -> None:
        """Ends every `follow` after what it has, whether its job has ended or not."""
        self.closed.set()
        self._tell_all_to_look()

    def follow(
        self,
        id: str,
        after: int = 0,
        *,
        idle: float = 15.0,
        seconds: float | None = None,
        send: Send | None = None,
    ) -> Iterator[Event | None]:
        """The events of a job that follow `after`, until the job has ended.

        Yields None when nothing happened for `idle` seconds; ends early after `seconds`, where
        they are given, or when the stream is closed. What `send` has sent, from another thread and
        in its place between the others, is not given.
        """
        until = None if seconds is None else time.monotonic() + seconds
        watch = self._subscribe(Watch(id, after, send))
        try:
            while True:
                found = self._ledger.events(id, watch.last, count=_PAGE)
                for event in found:
                    watch.last = event.id
                    yield event
                    if ends(event):
                        return
                if len(found) < _PAGE:
                    break
            yield from self._live(watch, idle, until)
        finally:
            self._unsubscribe(watch)

    def _live(self, watch: Watch, idle: float, until: float | None) -> Iterator[Event | None]:
        while not self.closed.is_set():
            left = idle if until is None else min(idle, until - time.monotonic())
            if left <= 0:
                return
            try:
                event = watch.wait(left)
            except queue.Empty:
                yield None
                continue
            if event is None:  # the reader lost Redis for a while: look for what was missed
                missed = self._ledger.events(watch.id, watch.last)
            elif event.id == watch.last + 1:
                missed = [event]
            elif event.id > watch.last:
                missed = self._ledger.events(watch.id, watch.last)
            elif ends(event):
                return
            else:
                continue
            for found in missed:
                watch.last = found.id
                yield found
                if ends(found):
                    return

    def _subscribe(self, watch: Watch) -> Watch:
        """Registers a watcher: what is written from now on is handed to it."""
        id = watch.id
        with self._lock:
            self._watches.setdefault(id, set()).add(watch)
            known = id in self._cursors
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._read, name="events", daemon=True)
                self._thread.start()
        if not known:
            try:
                self._start_at_tail(id)
            except ScarError:
                self._unsubscribe(watch)
                raise
        return watch

    def _start_at_tail(self, id: str) -> None:
        with redis_errors():
            tail = cast("list[Any]", self._redis.xrevrange(f"scar:job:{id}:events", count=1))
            with self._lock:
                if id in self._watches and id not in self._cursors:
                    self._cursors[id] = event_of(tail[0]).id if tail else 0
            self._wanted.set()
            # The reader is blocked on the streams it knew: an entry on its own wakes it.
            self._redis.xadd(self._changed, {"new": id}, maxlen=1)
            self._redis.expire(self._changed, 60)

    def _unsubscribe(self, watch: Watch) -> None:
        with self._lock:
            watches = self._watches.get(watch.id, set())
            watches.discard(watch)
            if not watches:
                self._watches.pop(watch.id, None)
                self._cursors.pop(watch.id, None)

    def _read(self) -> None:
        wake = "0-0"
        while True:
            with self._lock:
                cursors = {f"scar:job:{id}:events": f"{at}-0" for id, at in self._cursors.items()}
            if not cursors:
                self._wanted.clear()
                self._wanted.wait(_BLOCK_MS / 1000)
                continue
            try:
                streams: Any = {**cursors, self._changed: wake}
                found = self._redis.xread(streams, block=_BLOCK_MS)
            except RedisError:
                self._tell_all_to_look()
                self._wanted.clear()
                self._wanted.wait(0.2)
                continue
            for name, entries in cast("list[Any]", found or []):
                if name == self._changed:
                    wake = entries[-1][0]
                else:
                    self._hand_out(name.split(":")[2], [event_of(entry) for entry in entries])

    def _hand_out(self, id: str, events: list[Event]) -> None:
        with self._lock:
            watches = list(self._watches.get(id, ()))
            if id in self._cursors:
                self._cursors[id] = events[-1].id
        for watch in watches:
            for event in events:
                watch.hand(event)

    def _tell_all_to_look(self) -> None:
        with self._lock:
            watches = [watch for group in self._watches.values() for watch in group]
        for watch in watches:
            watch.queue.put(None)


def ends(event: Event) -> bool:
    """Whether `event` is the last of its job."""
    return event.type == "job" and JobState(event.data["state"]).ended
