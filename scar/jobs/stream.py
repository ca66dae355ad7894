"""Following jobs' events while they are written.

One thread per process, the reader, reads the streams of all jobs that are followed with one
blocking XREAD, and puts every event into the queues of the job's followers: fifty followers cost
one read. In the API the reader and the followers are greenlets.
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

_BLOCK_MS = 1000
_PAGE = 1000
_RETRY_SECONDS = 0.2
_WAKE_KEPT_SECONDS = 60


class Follower(queue.SimpleQueue["Event | None"]):
    """The events that were read for one follower and that it has not taken yet.

    None says that some may be missing: the follower has to look at the ledger.
    """


class EventStream:
    """Lets any number of threads follow jobs.

    `redis` must have a socket timeout above the second for which the reader blocks.
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
        """End every `follow` at once, whether its job has ended or not."""
        self.closed.set()
        with self._lock:
            streams = list(self._followers)
        for stream in streams:
            self._publish(stream, [None])

    def follow(
        self, job_id: str, after: int = 0, *, idle: float = 15.0, seconds: float | None = None
    ) -> Iterator[Event | None]:
        """Yield the events of a job that follow the event `after`, until the job has ended.

        Yields None when nothing happened for `idle` seconds. Ends early after `seconds`, where
        they are given, and when the stream is closed. Raises `ScarError` where Redis cannot be
        read; following again after the last event that was yielded loses and repeats nothing.
        """
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        last = after
        follower = self._join(job_id)
        try:
            while (left := deadline - time.monotonic()) > 0:
                try:
                    received = follower.get(timeout=min(idle, left))
                except queue.Empty:
                    yield None
                    continue
                if self.closed.is_set():
                    return
                for event in self._events_after(last, job_id, received):
                    last = event.id
                    yield event
                    if ends(event):
                        return
                if received is not None and ends(received):
                    return
        finally:
            self._leave(job_id, follower)

    def _events_after(self, last: int, job_id: str, received: Event | None) -> Iterator[Event]:
        """Yield the events that follow `last`, at least up to `received`."""
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
        """Have the reader, which is blocked on the streams it knows, look for new ones."""
        # Where Redis refuses writes, the reader looks again within a second.
        with contextlib.suppress(RedisError):
            self._redis.xadd(self._wake_key, {"wake": ""}, maxlen=1)
            self._redis.expire(self._wake_key, _WAKE_KEPT_SECONDS)

    def _read(self) -> None:
        """Publish the events of followed jobs as they are written; the reader's thread."""
        cursors = {self._wake_key: "0-0"}
        while True:
            try:
                self._update(cursors)
                for stream, entries in self._wait_for_entries(cursors):
                    cursors[stream] = entries[-1][0]
                    if stream != self._wake_key:
                        self._publish(stream, self._events(stream, entries))
            except (RedisError, LookupError, ValueError):
                # Redis is away and may have lost its newest events, or an entry is no event. Begin
                # anew: followers look at the ledger, and meet the same error there or go on.
                cursors = {self._wake_key: "0-0"}
                time.sleep(_RETRY_SECONDS)

    def _update(self, cursors: dict[str, str]) -> None:
        """Make `cursors` those of the jobs that are followed now."""
        with self._lock:
            followed = {self._wake_key, *self._followers}
        for stream in cursors.keys() - followed:
            del cursors[stream]
        for stream in followed - cursors.keys():
            newest = cast("list[Any]", self._redis.xrevrange(stream, count=1))
            cursors[stream] = newest[0][0] if newest else "0-0"
            self._publish(stream, [None])  # what came before the cursor is not published

    def _wait_for_entries(self, cursors: dict[str, str]) -> list[Any]:
        """Return what follows the cursors, by stream; nothing after a second without any."""
        streams: Any = cursors
        return cast("list[Any]", self._redis.xread(streams, count=_PAGE, block=_BLOCK_MS) or [])

    def _events(self, stream: str, entries: Sequence[Any]) -> list[Event | None]:
        """Return the events of entries. An entry that cannot be trusted is not passed on: the
        followers look at the ledger, which raises what is wrong with it.
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
    """Whether `event` is the last of its job."""
    return event.type == "job" and JobState(event.data["state"]).ended
