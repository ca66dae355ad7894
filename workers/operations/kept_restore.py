"""The handler of `kept_restore`, which restores a file of production that a deploy replaced, from
its kept copy.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass

from scar.errors import ScarError
from scar.jobs.job_id import time_of_id
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from scar.jobs.results.kept_restore import KeptRestorePlan, KeptRestoreResult
from scar.jobs.timestamp import rfc3339
from workers.deployment.compensation import compensate
from workers.deployment.plan import stat_cache_paths
from workers.deployment.recovery import recover_deployment
from workers.deployment.transaction import Transaction
from workers.files.compare import Changes, existing
from workers.files.content_store import ContentStore
from workers.files.failures import shown
from workers.files.manifest import Entry
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.runtime.context import JobContext
from workers.runtime.handlers import Execution, WriteJob
from workers.runtime.outcome import Outcome
from workers.runtime.reporter import JobLost
from workers.state.journal import Journal
from workers.state.kept_files import KeptCopy, kept_copies
from workers.state.project_lock import project_lock, refuse_if_held
from workers.state.releases import Releases


@dataclass(frozen=True)
class Restoring:
    """The copy to restore, and the changes that this makes."""

    copy: KeptCopy
    changes: Changes


class KeptRestore(WriteJob[Restoring, KeptRestorePlan, KeptRestoreResult]):
    """Restores one file with the journal and the undo record of a deployment, so that it can be
    recovered after a kill.
    """

    kind = "kept_restore"

    def lock(self, context: JobContext, /) -> AbstractContextManager[int]:
        """Hold the lock of the project."""
        return project_lock(context.folder, context.check, holder=context.holder)

    def refuse_held(self, context: JobContext, /) -> None:
        """Raise `busy` if another job holds the lock of the project."""
        refuse_if_held(context.folder, context.project.name)

    def recover(self, context: JobContext, lock: int, /) -> Outcome[KeptRestoreResult] | None:
        """Finish or undo an interrupted deployment or restoration."""
        outcome = recover_deployment(context, lock)
        return None if outcome is None else _outcome_of(outcome)

    def make_plan(self, context: JobContext, /) -> tuple[Restoring, KeptRestorePlan]:
        """Return the copy with the requested number, and the present state of its path.

        Raises `not_found` if there is no such copy, `conflict` if it is missing from the store.
        """
        copy = _copy(context)
        production = str(context.project.production)
        cache = StatCache.load(stat_cache_paths(context)[1])
        now = existing(production, copy.path, cache).get(copy.path)
        changes = _changes(context, copy, now)
        hashed = [copy.path, copy.entry.digest, now and [now.digest, now.mode]]
        plan = KeptRestorePlan(
            path=shown(copy.path),
            production=production,
            at=rfc3339(time_of_id(copy.job)),
            size=copy.entry.size,
            nothing=changes.none,
            replaces=now is not None,
            keeps=bool(changes.kept),
            hash=hashlib.sha256(json.dumps(hashed).encode()).hexdigest(),
        )
        return Restoring(copy, changes), plan

    def already_done(
        self, _context: JobContext, plan: KeptRestorePlan, /
    ) -> Outcome[KeptRestoreResult] | None:
        """Return the outcome if production already has that content; otherwise None."""
        if not plan.nothing:
            return None
        return Outcome(JobState.SUCCEEDED, KeptRestoreResult(path=plan.path, nothing=True))

    def execute(
        self, context: JobContext, work: Restoring, execution: Execution[KeptRestorePlan], /
    ) -> Outcome[KeptRestoreResult]:
        """Restore the file, after saving the undo record."""
        done = self.already_done(context, execution.plan)
        if done is not None:
            return done
        journal, lock = Journal(context.folder), execution.lock
        journal.begin(context.request.id)
        root = str(context.project.production)
        try:
            with context.steps.step("restoring", f"Bringing {execution.plan.path} back"):
                context.check()
                transaction = Transaction(context, journal, lock)
                transaction.bring_back(Undo.of(context.request.id, root, work.changes))
        except JobLost:
            raise
        except Exception as error:  # noqa: BLE001 (production is brought back, whatever happened)
            return _outcome_of(compensate(context, journal, lock, context.scar_error(error)))
        result = KeptRestoreResult(path=execution.plan.path, nothing=False)
        return Outcome(JobState.SUCCEEDED, result)


def _copy(context: JobContext) -> KeptCopy:
    number = context.request.args.get("number")
    contents = ContentStore(context.folder / "objects")
    copies = kept_copies(contents)
    copy = next((copy for copy in copies if copy.number == number), None)
    if copy is None:
        raise ScarError(
            "not_found",
            f"There is no kept file of the number {number} in '{context.project.name}'",
            "/docker_kept lists those that can be brought back.",
        )
    if not contents.holds(copy.entry):
        raise ScarError(
            "conflict",
            f"The kept copy of '{shown(copy.path)}' is no longer in the store",
            "SCAR_STATE_DIR was changed by hand; look for the file in a backup.",
        )
    return copy


def _changes(context: JobContext, copy: KeptCopy, now: Entry | None) -> Changes:
    path, same = copy.path, copy.entry.same_content(now)
    last = Releases(context.folder).latest()
    released = last.contents.get(path) if last else None
    by_hand = now is not None and not now.same_content(released)
    return Changes(
        added=() if same or now else (path,),
        changed=(path,) if now and not same else (),
        removed=(),
        drift=(),
        kept=(path,) if by_hand and not same else (),
        left_alone=(),
        before={} if same else {path: now},
        after={} if same else {path: copy.entry},
    )


def _outcome_of(outcome: Outcome[DeployResult]) -> Outcome[KeptRestoreResult]:
    """Convert the outcome of a recovered or compensated deployment to one of this kind."""
    state = outcome.result.production_state if outcome.result else None
    result = KeptRestoreResult(production_state=state) if state else None
    return Outcome(outcome.state, result, outcome.error)


HANDLER = KeptRestore()
