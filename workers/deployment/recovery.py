"""Crash recovery of a deployment.

The next job that gets the project lock completes or compensates a deployment that was interrupted.
"""

from __future__ import annotations

from scar.errors import ErrorRecord, ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from workers.deployment.build import drop_build_tree
from workers.deployment.compensation import compensate
from workers.deployment.completion import clear_up, complete
from workers.deployment.future_tree import drop_stale_trees
from workers.deployment.held_doors import HeldDoors
from workers.deployment.outcome import resumed
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.runtime.context import JobContext
from workers.runtime.outcome import Outcome
from workers.state.job_log import JobLog
from workers.state.journal import ENDED, RESTORED, Journal
from workers.state.releases import Releases

_LOST = ScarError(
    "worker_lost",
    "The worker was killed while it worked on production",
    "Nothing is lost; ask again.",
)


def recover_deployment(context: JobContext, lock: int) -> Outcome[DeployResult] | None:
    """Finish a deployment that was interrupted after its release was recorded; undo one interrupted
    before.

    Returns the job's outcome if the deployment was this job's own, and if production could not be
    restored: in either case the job must not go on. Otherwise returns None. Raises `ScarError` if
    an earlier release is in production, and what it left, such as a stand-in, cannot be removed.
    """
    folder = context.folder
    drop_stale_trees(folder)
    drop_build_tree(folder)
    journal = Journal(folder)
    own = journal.job == context.request.id
    if not journal.open:
        production = Production(context, lock)
        HeldDoors(context, production).end()
        Takeover(context, production).recover()
    if not journal.open and not own:
        # This job began, then a later job worked on the project: so this one ended, but its outcome
        # was lost.
        overtaken = context.attempt > 1 and (journal.job or "") > context.request.id
        return _overtaken(context) if overtaken else None
    # This job's journal is closed if the worker was killed just before it could report the end.
    outcome = _recovered(context, journal, lock)
    if own or (journal.open and outcome.error is not None):
        return outcome
    if journal.open:
        clear_up(context, journal, lock)
    job_log = JobLog(context.settings.state_dir / "done")
    if job_log.begun(str(journal.job)) and not job_log.ended(str(journal.job)):
        job_log.end(str(journal.job), outcome)
    return None


def _recovered(context: JobContext, journal: Journal, lock: int) -> Outcome[DeployResult]:
    """Complete the deployment in the journal if it has passed its point of no return; otherwise
    compensate it.
    """
    release = Releases(context.folder).find(str(journal.job))
    if release is not None:
        complete(context, journal, lock)
        return resumed(context, release)
    if journal.find(RESTORED):
        if journal.open:
            journal.write(ENDED)
        return Outcome(JobState.SUCCEEDED, DeployResult(nothing=False))
    return compensate(context, journal, lock, _cause(journal))


def _cause(journal: Journal) -> ScarError:
    """Return the error of the deployment in the journal; `worker_lost` if it had not failed."""
    failed = journal.find("failed")
    if failed is None:
        return _LOST
    record = ErrorRecord.from_json(failed["error"])
    return ScarError(record.code, record.message, record.hint, lines=record.lines)


def _overtaken(context: JobContext) -> Outcome[DeployResult]:
    if context.request.id in Releases(context.folder).ids():
        result = DeployResult(nothing=False, release=context.request.id)
        return Outcome(JobState.SUCCEEDED, result)
    error = ScarError(
        "worker_lost",
        "How this job ended is not known any more; it was not done again",
        "/docker_status and /docker_history show what is in production.",
    )
    return Outcome(JobState.FAILED, None, error)
