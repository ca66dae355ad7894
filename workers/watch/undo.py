"""Submits the rollback of a deploy that got worse, in the name of the worker itself. A worker may
submit jobs only in its own name, only rollbacks, and only on its own host, which `scar.jobs.proofs`
enforces. The job is confirmed from the start, since the projects file has said `"bake": "undo"`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from scar.access import Actor, Role
from scar.jobs.bake import Bake
from scar.jobs.ledger import Ledger
from scar.jobs.proofs import binding
from scar.jobs.queue import JobQueue
from scar.jobs.request import Request
from scar.jobs.signing import Signatures

_EXPIRES_MS = 15 * 60_000


class Undoer:
    """Submits rollbacks. `clock` returns seconds since the epoch."""

    def __init__(
        self,
        ledger: Ledger,
        signatures: Signatures,
        queue: JobQueue,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._signatures = signatures
        self._queue = queue
        self._clock = clock

    def undo(self, bake: Bake) -> bool:
        """Submit the rollback as the job `bake.undo`; return whether it exists now, from this or an
        earlier call. False if another job has locked the project. Raises `busy` if a person has
        locked it, and `redis_unavailable`.
        """
        now = int(self._clock() * 1000)
        actor = Actor(self._signatures.part, "bake", f"SCAR, on host {bake.host}", Role.OPERATOR)
        request = Request(
            id=bake.undo,
            kind="rollback",
            project=bake.project,
            host=bake.host,
            args={"release": bake.previous},
            requested_by=actor,
            asks=True,
            changes=True,
            created_at=now,
            expires_at=now + _EXPIRES_MS,
            locks=(bake.project,),
        )
        confirmation = {
            **binding(request),
            "plan": None,
            "by": actor.to_json(),
            "at": now,
            "voucher": None,
        }
        text = json.dumps(request.to_json(), separators=(",", ":"))
        submission = self._ledger.submit(
            request,
            text,
            self._signatures.sign("request", text),
            confirm_ms=_EXPIRES_MS,
            confirmation=self._signatures.seal("confirmation", confirmation),
        )
        if submission.what == "made":
            self._queue.notify(bake.host, bake.undo)
        return submission.what in ("made", "same")
