"""This host's own memory of the locks that people have set, so that write access to Redis does not
suffice to remove one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.locks import EVERYTHING, Lock, LockRecord, Locks
from scar.jobs.signing import Signatures
from workers.files.durable import read_json, write_synced

_HINT = "Remove the file: the locks that Redis has are kept again."
_log = structlog.get_logger(__name__)


class KnownLocks:
    """The newest signed record (lock or release) of each project, in the file `path`.
    `may_lock(actor, project)` says whether, according to this worker, a person may set and release
    the lock.
    """

    def __init__(
        self, path: Path, signatures: Signatures, may_lock: Callable[[Actor, str], bool]
    ) -> None:
        self._path = path
        self._signatures = signatures
        self._may_lock = may_lock

    def of(self, project: str) -> Lock | None:
        """Return the lock that applies to a project, according to this host."""
        records = self._records()
        for name in (EVERYTHING, project):
            if name in records and records[name].locked:
                return records[name].lock
        return None

    def sync(self, locks: Locks) -> None:
        """Store newer records from Redis, and write those back that Redis has lost."""
        known, on_redis = dict(self._records()), locks.records()
        kept = dict(known)
        for project, record in on_redis.items():
            if self._counts(record, project, known) and _is_newer(record, known.get(project)):
                kept[project] = record
        for project, record in kept.items():
            if project not in on_redis or _differs(record, on_redis[project]):
                _log.warning("lock put back on a Redis that had lost it", project=project)
                locks.put_back(project, record)
        if kept != known:
            texts = {project: record.text for project, record in kept.items()}
            write_synced(self._path, json.dumps(texts))

    def _counts(self, record: LockRecord, project: str, known: Mapping[str, LockRecord]) -> bool:
        """Return whether a record replaces the known one: it must be by a person who may set and
        release locks, and not signed with a key that was retired.
        """
        if not record.genuine or (record.retired and project in known):
            return False
        return record.actor is None or self._may_lock(record.actor, project)

    def _records(self) -> Mapping[str, LockRecord]:
        if not self._path.exists():
            return {}
        texts = read_json(self._path, dict, _HINT)
        return {
            name: LockRecord.parse(text, name, self._signatures) for name, text in texts.items()
        }


def _is_newer(record: LockRecord, other: LockRecord | None) -> bool:
    return other is None or not other.genuine or record.lock.since > other.lock.since


def _differs(kept: LockRecord, other: LockRecord) -> bool:
    """Return whether Redis has another record than the stored one: an older or a refused one."""
    return _is_newer(kept, other) or (other.retired and kept.sealed != other.sealed)


def sync_quietly(known: KnownLocks, locks: Locks) -> None:
    """Sync; log an error instead of raising it."""
    try:
        known.sync(locks)
    except (ScarError, OSError) as error:
        _log.warning("locks not compared with Redis", reason=str(error))
