"""The replay guard: a log on this host's disk of the changing jobs that it has begun and ended.

It recognises a job that Redis offers a second time, by mistake or by malice: whoever can write to
Redis can rewrite jobs there, but not this log.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from pathlib import Path

from scar.errors import ErrorRecord, ScarError
from scar.jobs.claim import SignedRequest
from scar.jobs.job_id import entropy_of, is_job_id
from scar.jobs.record import JobState
from scar.jobs.results.json_record import JsonRecord
from scar.json_object import JsonObject
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.runtime.outcome import Outcome, ResultT

_KEPT_SECONDS = 60 * 86_400
_HINT = "Look at what the job did, then remove that file: the job counts as never begun then."


class JobLog:
    """One JSON file for each job: the signed request when the job began, its outcome when it
    ended.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begun(self, id: str) -> bool:
        """Return whether the job was ever begun on this host."""
        return _is_name(id) and self._path(id).exists()

    def begin(self, id: str, signed: SignedRequest) -> float:
        """Record, synced, that the job begins; return when it first began, in seconds since the
        epoch.
        """
        if not self.begun(id):
            self._write(id, {"signed": asdict(signed), "begun_at": time.time()})
            self._forget_old()
        return float(self._read(id)["begun_at"])

    def note_cancelled(self, id: str, signed: SignedRequest, error: ErrorRecord) -> None:
        """Record, synced, that a job was cancelled before it began, so that it never begins
        here.
        """
        if not self.begun(id):
            ending = {"state": JobState.CANCELLED.value, "result": None, "error": error.to_json()}
            self._write(id, {"signed": asdict(signed), "begun_at": time.time(), **ending})

    def end(self, id: str, outcome: Outcome[JsonRecord]) -> None:
        """Record, synced, the outcome of a job that was begun on this host."""
        result = outcome.result.to_json() if outcome.result else None
        error = outcome.error.record().to_json() if outcome.error else None
        ending = {"state": outcome.state.value, "result": result, "error": error}
        self._write(id, {**self._read(id), **ending})

    def forget(self, id: str) -> None:
        """Delete the record of a job that has changed nothing."""
        with file_errors(str(self._folder)):
            self._path(id).unlink(missing_ok=True)

    def ended(self, id: str) -> bool:
        """Return whether the job has ended on this host."""
        return self.begun(id) and "state" in self._read(id)

    def state(self, id: str) -> JobState | None:
        """Return the state in which the job has ended on this host; None if it has not."""
        return JobState(self._read(id)["state"]) if self.ended(id) else None

    def outcome(self, id: str, result: type[ResultT]) -> Outcome[ResultT] | None:
        """Return the outcome of the job, None if it has not ended. `result` is the result type
        of its kind.
        """
        if not self.ended(id):
            return None
        record = self._read(id)
        error = ErrorRecord.from_json(record["error"]) if record["error"] else None
        return Outcome(
            JobState(record["state"]),
            result.from_json(record["result"]) if record["result"] is not None else None,
            ScarError(error.code, error.message, error.hint, lines=error.lines) if error else None,
        )

    def begun_before(self, id: str) -> str | None:
        """Return another job that began here and whose id has the same entropy, which is so for
        jobs of the same push; None if there is none.
        """
        entropy = entropy_of(id)
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if path.name != id and is_job_id(path.name) and entropy_of(path.name) == entropy:
                return path.name
        return None

    def recent(self, seconds: float) -> list[str]:
        """Return the ids of the jobs that began or ended within the last `seconds`."""
        oldest = time.time() - seconds
        ids = []
        for path in self._folder.iterdir() if self._folder.exists() else ():
            with contextlib.suppress(FileNotFoundError):  # another process has renamed the file
                if not path.name.startswith(".") and path.stat().st_mtime >= oldest:
                    ids.append(path.name)
        return ids

    def signed(self, id: str) -> SignedRequest:
        """Return the signed request of a job that was begun on this host."""
        return read_json(self._path(id), lambda record: SignedRequest(**record["signed"]), _HINT)

    def _read(self, id: str) -> JsonObject:
        return read_json(self._path(id), dict, _HINT)

    def _path(self, id: str) -> Path:
        if not _is_name(id):  # it comes from Redis, and must not be a path out of the folder
            raise ScarError("invalid_request", f"'{id[:40]}' is no id of a job", "Ask again.")
        return self._folder / id

    def _write(self, id: str, record: JsonObject) -> None:
        write_synced(self._path(id), json.dumps(record))

    def _forget_old(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        with file_errors(str(self._folder)):
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # another process has renamed the file
                    if path.stat().st_mtime < oldest:
                        path.unlink()


def _is_name(id: str) -> bool:
    """Return whether an id can be the name of a file in the folder."""
    return Path(id).name == id and "\0" not in id
