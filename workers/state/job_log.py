"""The replay guard on the host: which writing jobs it has begun and ended.

A job that Redis offers a second time, by mistake or by malice, is recognised here, since whoever
can write to Redis cannot write to this disk.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scar.errors import ErrorRecord, ScarError
from scar.jobs.ledger import Signed
from scar.jobs.record import JobState
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.runtime.context import Outcome

_KEPT_SECONDS = 60 * 86_400
_HINT = "Look at what the job did, then remove that file: the job counts as never begun then."


class JobLog:
    """One file a job: what was signed of it when it began, its outcome once it has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begun(self, id: str) -> bool:
        """Return whether the job was ever begun here."""
        return self._path(id).exists()

    def begin(self, id: str, signed: Signed) -> float:
        """Note, synced, that a job begins; return when it first did, in seconds since the epoch."""
        if not self.begun(id):
            self._write(id, {"signed": asdict(signed), "begun_at": time.time()})
            self._forget_old()
        return float(self._read(id)["begun_at"])

    def end(self, id: str, outcome: Outcome) -> None:
        """Note, synced, how a job ended that was begun here."""
        error = outcome.error.record().to_json() if outcome.error else None
        ending = {"state": outcome.state.value, "result": outcome.result, "error": error}
        self._write(id, {**self._read(id), **ending})

    def forget(self, id: str) -> None:
        """Remove the note of a job that did not begin after all."""
        with file_errors(str(self._folder)):
            self._path(id).unlink(missing_ok=True)

    def outcome(self, id: str) -> Outcome | None:
        """Return how the job ended; None while it has not."""
        note = self._read(id) if self.begun(id) else {}
        if "state" not in note:
            return None
        error = ErrorRecord.from_json(note["error"]) if note["error"] else None
        return Outcome(
            JobState(note["state"]),
            note["result"],
            ScarError(error.code, error.message, error.hint, lines=error.lines) if error else None,
        )

    def recent(self, seconds: float) -> list[str]:
        """Return the ids of jobs that began or ended at most so many seconds ago."""
        oldest = time.time() - seconds
        ids = []
        for path in self._folder.iterdir() if self._folder.exists() else ():
            with contextlib.suppress(FileNotFoundError):  # renamed by another process
                if not path.name.startswith(".") and path.stat().st_mtime >= oldest:
                    ids.append(path.name)
        return ids

    def signed(self, id: str) -> Signed:
        """Return what was signed of a job that was begun here."""
        return read_json(self._path(id), lambda note: Signed(**note["signed"]), _HINT)

    def _read(self, id: str) -> dict[str, Any]:
        return read_json(self._path(id), dict, _HINT)

    def _path(self, id: str) -> Path:
        return self._folder / id

    def _write(self, id: str, note: Mapping[str, Any]) -> None:
        write_synced(self._path(id), json.dumps(note))

    def _forget_old(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        with file_errors(str(self._folder)):
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # renamed by another process
                    if path.stat().st_mtime < oldest:
                        path.unlink()
