"""Follows the events of jobs while they are being written.

One thread per process, the reader, reads the streams of all followed jobs with one blocking XREAD
and puts each event into the queues of the job's followers, so that fifty followers cost one read.
In the API, reader and followers are greenlets.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError

from scar.errors import ScarError
from scar.jobs.event import Event
from scar.jobs.event_reader import events_of
from scar.jobs.job_state import JobState
from scar.jobs.ledger import Ledger
from scar.jobs.proofs import Proofs
from scar.json_object import MALFORMED

_BLOCK_MS = 1000
_PAGE = 1000
_RETRY_SECONDS = 0.2
_WAKE_KEPT_SECONDS = 60


class Follower(queue.SimpleQueue["Event | None"]):
    """A queue of events that one follower has not processed yet.

    None in the queue means that events may be missing; the follower then reads them from the
    ledger.
    """

    def all_within(self, seconds: float) -> list[Event | None]:
        """Wait for an event, and return all that have arrived by then; none if none arrives within
        `seconds`.
        """
        received: list[Event | None] = []
        with contextlib.suppress(queue.Empty):
            received.append(self.get(timeout=seconds))
            while len(received) < _PAGE:
                received.append(self.get_nowait())
        return received


class EventStream:
    """Lets any number of threads follow jobs.

    The socket timeout of `redis` must be longer than one second, for which the reader's XREAD
    blocks.
    """

    def __init__(self, redis: Redis, ledger: Ledger) -> None:
        self._redis = redis
        self._ledger = ledger
        self._lock = threading.Lock()
        self._followers: dict[str, set[Follower]] = {}
        self._proofs: dict[str, Proofs] = {}
        self._reader: threading.Thread | None = None
        self._wake_key = f"scar:wake:{uuid4().hex}"
        self.closed = threading.Event()

    def close(self) -> None:
        """Make every `follow` return at once, whether its job has ended or not, and the reader end
        within a second.
        """
        self.closed.set()
        with self._lock:
            streams = list(self._followers)
        for stream in streams:
            self._publish(stream, [None])

    def follow(
        self, job_id: str, after: int = 0, *, idle: float = 15.0, seconds: float | None = None
    ) -> Iterator[Event | None]:
        """Yield the job's events after the event `after`, until the job has ended.

        Yields None after `idle` seconds without an event. Returns early after `seconds`, if given,
        and when the stream is closed. Raises `ScarError` if Redis cannot be read; a new call that
        begins after the last yielded event then misses and repeats nothing.
        """
        for batch in self.follow_batches(job_id, after, idle=idle, seconds=seconds):
            if not batch:
                yield None
            yield from batch

    def follow_batches(
        self, job_id: str, after: int = 0, *, idle: float = 15.0, seconds: float | None = None
    ) -> Iterator[tuple[Event, ...]]:
        """Yield the same events in batches: all that are there, at most about a thousand. A reader
        that takes its time gets fewer and larger ones. Yields an empty batch where `follow` yields
        None.
        """
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        last = after
        follower = self._join(job_id)
        try:
            while (left := deadline - time.monotonic()) > 0:
                received = follower.all_within(min(idle, left))
                if self.closed.is_set():
                    return
                if not received:
                    yield ()
                for batch in self._batches(last, job_id, received):
                    last = batch[-1].id
                    yield batch
                    if ends(batch[-1]):
                        return
                if any(event is not None and ends(event) for event in received):
                    return
        finally:
            self._leave(job_id, follower)

    def _batches(
        self, last: int, job_id: str, received: Sequence[Event | None]
    ) -> Iterator[tuple[Event, ...]]:
        """Yield the events after `last`, at least up to the last one of `received`."""
        batch: list[Event] = []
        for item in received:
            for event in self._events_after(last, job_id, item):
                last = event.id
                batch.append(event)
                if len(batch) == _PAGE:
                    yield tuple(batch)
                    batch = []
        if batch:
            yield tuple(batch)

    def _events_after(self, last: int, job_id: str, received: Event | None) -> Iterator[Event]:
        """Yield the events after `last`, at least up to the event `received`."""
        if received is not None and received.id <= last + 1:
            if received.id == last + 1:
                yield received
            return
        while page := self._ledger.events(job_id, last, count=_PAGE):
            yield from page
            last = page[-1].id
            if len(page) < _PAGE:
                return

    def _join(self, job_id: str) -> Follower:
        """Register a follower, which begins with what the ledger has."""
        proofs = self._ledger.proofs(job_id)
        follower = Follower()
        follower.put(None)
        stream = _stream_of(job_id)
        with self._lock:
            if proofs is not None:
                self._proofs[stream] = proofs
            is_new = stream not in self._followers
            self._followers.setdefault(stream, set()).add(follower)
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._read, name="events", daemon=True)
                self._reader.start()
        if is_new:
            self._wake_reader()
        return follower

    def _leave(self, job_id: str, follower: Follower) -> None:
        stream = _stream_of(job_id)
        with self._lock:
            self._followers[stream].discard(follower)
            if not self._followers[stream]:
                del self._followers[stream]
                self._proofs.pop(stream, None)

    def _wake_reader(self) -> None:
        """Wake the reader from its XREAD, so that it adds the streams of newly followed jobs."""
        # If Redis refuses the write, the reader's XREAD still returns within a second.
        with contextlib.suppress(RedisError):
            self._redis.xadd(self._wake_key, {"wake": ""}, maxlen=1)
            self._redis.expire(self._wake_key, _WAKE_KEPT_SECONDS)

    def _read(self) -> None:
        """Put new events into the followers' queues; runs in the reader's thread."""
        cursors = {self._wake_key: "0-0"}
        while not self.closed.is_set():
            try:
                self._update(cursors)
                for stream, entries in self._wait_for_entries(cursors):
                    cursors[stream] = entries[-1][0]
                    if stream != self._wake_key:
                        self._publish(stream, self._events(stream, entries))
            except (RedisError, *MALFORMED):
                # Redis is unavailable and may have lost its newest events, or an entry is
                # malformed. Start over: followers read from the ledger, where they get the same
                # error or continue.
                cursors = {self._wake_key: "0-0"}
                time.sleep(_RETRY_SECONDS)

    def _update(self, cursors: dict[str, str]) -> None:
        """Update `cursors` (stream to last entry read) to the jobs that are followed now."""
        with self._lock:
            followed = {self._wake_key, *self._followers}
        for stream in cursors.keys() - followed:
            del cursors[stream]
        for stream in followed - cursors.keys():
            newest = cast("list[Any]", self._redis.xrevrange(stream, count=1))
            cursors[stream] = newest[0][0] if newest else "0-0"
            # Entries before the cursor are not put into the queues, so followers read them from the
            # ledger.
            self._publish(stream, [None])

    def _wait_for_entries(self, cursors: dict[str, str]) -> list[Any]:
        """Return the entries after the cursors, by stream; nothing if none arrives within a
        second.
        """
        streams: Any = cursors
        return cast("list[Any]", self._redis.xread(streams, count=_PAGE, block=_BLOCK_MS) or [])

    def _events(self, stream: str, entries: Sequence[Any]) -> list[Event | None]:
        """Return the events of entries. An entry with an invalid signature is not passed on; the
        followers then read the ledger, which raises the error.
        """
        with self._lock:
            proofs = self._proofs.get(stream)
        if proofs is None:
            return [None]
        try:
            return [event for entry in entries for event in events_of(entry, proofs)]
        except ScarError:
            return [None]

    def _publish(self, stream: str, events: Sequence[Event | None]) -> None:
        with self._lock:
            followers = list(self._followers.get(stream, ()))
        for follower in followers:
            for event in events:
                follower.put(event)


def _stream_of(job_id: str) -> str:
    return f"scar:job:{job_id}:events"


def ends(event: Event) -> bool:
    """Return whether `event` is the last one of its job."""
    return event.type == "job" and JobState(event.data["state"]).ended
