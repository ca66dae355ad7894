"""Ends a transaction: deletes what is not needed once its release is recorded, or compensates
it.
"""

from __future__ import annotations

import time

import structlog

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from workers.deployment.transaction import Transaction
from workers.runtime.context import JobContext
from workers.runtime.outcome import Outcome
from workers.state.journal import Journal

_AS_BEFORE = "Production has the files and images it had before, and its containers are up."
_NONE_AS_BEFORE = "Production has the files it had before, and no containers, as before."
_UNTOUCHED = "Production was not touched."
_ENGINE_SECONDS = 45.0
_log = structlog.get_logger(__name__)


def clear_up(context: JobContext, transaction: Transaction) -> None:
    """Clean up after the release is recorded. If that fails, the deployment still counts as
    succeeded, and the next job cleans up.
    """
    if transaction.journal.open:
        try:
            transaction.end()
        except ScarError as error:
            _log.warning("not cleared up", job=context.request.id, reason=error.message)


def compensate(
    context: JobContext, transaction: Transaction, error: ScarError
) -> Outcome[DeployResult]:
    """Undo the deployment because of `error`, and return the job's outcome."""
    state_after = _production_state(transaction.journal)
    try:
        if transaction.journal.open:
            with context.steps.step("rolling_back", "Rolling back"):
                record = context.masker.error(error).record().to_json()
                transaction.journal.write("failed", {"error": record})
                _wait_for_engine(context)
                transaction.compensate()
    except ScarError as failure:
        return _in_between(error, failure)
    cancelled = error.code == "cancelled"
    state = JobState.CANCELLED if cancelled else JobState.ROLLED_BACK
    return Outcome(state, DeployResult(production_state=state_after), error)


def _wait_for_engine(context: JobContext) -> None:
    """Wait up to 45 seconds for an Engine that is restarting.

    A restart of the Engine is a frequent reason for a failed step, and without the Engine
    compensation would fail too.
    """
    deadline = time.monotonic() + _ENGINE_SECONDS
    while True:
        try:
            context.engine.version()
        except ScarError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _production_state(journal: Journal) -> str:
    """Return a sentence about the state of production after compensation succeeds."""
    if not journal.find("applying"):
        return _UNTOUCHED
    starting = journal.find("starting")
    return _NONE_AS_BEFORE if starting and not starting["containers"] else _AS_BEFORE


def _in_between(error: ScarError, failure: ScarError) -> Outcome[DeployResult]:
    """Return the outcome if compensation failed too, which leaves production between the old and
    the new state.
    """
    state = (
        f"Putting production back failed too: {failure.message} It is between old and new. "
        f"{failure.hint} The next deploy or rollback tries to put it back first."
    )
    return Outcome(JobState.FAILED, DeployResult(production_state=state), error)
