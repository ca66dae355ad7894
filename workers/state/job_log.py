"""Which changing jobs this host has begun and ended, kept on disk.

A job that Redis offers a second time, by mistake or by malice, is recognised here: what is on
Redis can be rewritten by whoever writes to Redis, this cannot.
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
from scar.jobs.claim import SignedRequest
from scar.jobs.record import JobState
from workers.files.durable import read_json, write_synced
from workers.files.failures import file_errors
from workers.runtime.context import Outcome

_KEPT_SECONDS = 60 * 86_400
_HINT = "Look at what the job did, then remove that file: the job counts as never begun then."


class JobLog:
    """One small file a job: what was signed once it has begun, its outcome once it has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begun(self, id: str) -> bool:
        """Whether the job was ever begun here."""
        return self._path(id).exists()

    def begin(self, id: str, signed: SignedRequest) -> float:
        """Notes, for good, that the job begins; when it first did, in seconds since the epoch."""
        if not self.begun(id):
            self._write(id, {"signed": asdict(signed), "begun_at": time.time()})
            self._forget_old()
        return float(self._read(id)["begun_at"])

    def end(self, id: str, outcome: Outcome) -> None:
        """Notes, for good, how a begun job ended."""
        error = outcome.error.record().to_json() if outcome.error else None
        ending = {"state": outcome.state.value, "result": outcome.result, "error": error}
        self._write(id, {**self._read(id), **ending})

    def forget(self, id: str) -> None:
        """The job has not begun after all."""
        with file_errors(str(self._folder)):
            self._path(id).unlink(missing_ok=True)

    def outcome(self, id: str) -> Outcome | None:
        """How the job ended; None while it has not."""
        found = self._read(id) if self.begun(id) else {}
        if "state" not in found:
            return None
        error = ErrorRecord.from_json(found["error"]) if found["error"] else None
        return Outcome(
            JobState(found["state"]),
            found["result"],
            ScarError(error.code, error.message, error.hint, lines=error.lines) if error else None,
        )

    def recent(self, seconds: float) -> list[str]:
        """The jobs that began or ended at most so long ago."""
        oldest = time.time() - seconds
        found = []
        for path in self._folder.iterdir() if self._folder.exists() else ():
            with contextlib.suppress(FileNotFoundError):  # renamed by another process
                if not path.name.startswith(".") and path.stat().st_mtime >= oldest:
                    found.append(path.name)
        return found

    def signed(self, id: str) -> SignedRequest:
        """What was signed of a begun job."""
        return read_json(self._path(id), lambda found: SignedRequest(**found["signed"]), _HINT)

    def _read(self, id: str) -> dict[str, Any]:
        return read_json(self._path(id), dict, _HINT)

    def _path(self, id: str) -> Path:
        return self._folder / id

    def _write(self, id: str, found: Mapping[str, Any]) -> None:
        write_synced(self._path(id), json.dumps(found))

    def _forget_old(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        with file_errors(str(self._folder)):
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # renamed by another process
                    if path.stat().st_mtime < oldest:
                        path.unlink()
