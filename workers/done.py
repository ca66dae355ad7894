"""Which changing jobs this host has begun and ended, kept on disk.

A job that Redis offers a second time, by mistake or by malice, is recognised here: what is on
Redis can be rewritten by whoever writes to Redis, this cannot.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from scar.errors import ErrorRecord, ScarError
from scar.jobs.record import JobState
from workers.files.failures import file_errors
from workers.files.undo import write_synced
from workers.work import Outcome

_KEPT_SECONDS = 60 * 86_400


class DoneJobs:
    """One small file a job: empty once it has begun, with its outcome once it has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begun(self, id: str) -> bool:
        """Whether the job was ever begun here."""
        return self._path(id).exists()

    def begin(self, id: str) -> float:
        """Notes, for good, that the job begins; when it first did, in seconds since the epoch."""
        if not self.begun(id):
            self._write(id, "")
            self._forget_old()
        return self._path(id).stat().st_mtime

    def end(self, id: str, outcome: Outcome) -> None:
        """Notes, for good, how the job ended."""
        error = outcome.error.record().to_json() if outcome.error else None
        content = {"state": outcome.state.value, "result": outcome.result, "error": error}
        self._write(id, json.dumps(content))

    def outcome(self, id: str) -> Outcome | None:
        """How the job ended; None while it has not."""
        path = self._path(id)
        text = path.read_text() if path.exists() else ""
        if not text:
            return None
        found = json.loads(text)
        error = ErrorRecord.from_json(found["error"]) if found["error"] else None
        return Outcome(
            JobState(found["state"]),
            found["result"],
            ScarError(error.code, error.message, error.hint, lines=error.lines) if error else None,
        )

    def _path(self, id: str) -> Path:
        return self._folder / id

    def _write(self, id: str, text: str) -> None:
        write_synced(self._path(id), text)

    def _forget_old(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        with file_errors(str(self._folder)):
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # renamed by another process
                    if path.stat().st_mtime < oldest:
                        path.unlink()
