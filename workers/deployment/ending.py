"""Ends a transaction: deletes what is not needed once its release is recorded, or compensates
it.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace

import structlog

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from workers.deployment.transaction import Transaction
from workers.engine.downtime import DowntimeProbe
from workers.runtime.context import JobContext
from workers.runtime.outcome import Outcome
from workers.state.journal import Journal
from workers.state.releases import Releases

_AS_BEFORE = "Production has the files and images it had before, and its containers are up."
_NONE_AS_BEFORE = "Production has the files it had before, and no containers, as before."
_UNTOUCHED = "Production was not touched."
_FIRST = "Nothing was deployed. "
_ROLLING_BACK = ("rolling_back", "Putting production back")
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
    context: JobContext,
    transaction: Transaction,
    error: ScarError,
    probe: DowntimeProbe | None = None,
) -> Outcome[DeployResult]:
    """Bring production back after `error`, and return the outcome of the job.

    `probe` has measured since before the first container was touched.
    """
    state_after = _production_state(context, transaction.journal)
    touched = transaction.journal.find("applying") is not None
    try:
        if transaction.journal.open:
            with context.steps.step(*_ROLLING_BACK) if touched else nullcontext():
                record = context.masker.error(error).record().to_json()
                transaction.journal.write("failed", {"error": record})
                _wait_for_engine(context)
                transaction.compensate()
    except ScarError as failure:
        return _in_between(error, failure)
    cancelled = error.code == "cancelled"
    state = JobState.CANCELLED if cancelled else JobState.ROLLED_BACK
    result = DeployResult(production_state=state_after)
    if probe is not None and transaction.journal.find("starting"):
        result = replace(result, downtime_seconds=probe.result().seconds)
    return Outcome(state, result, error)


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


def _production_state(context: JobContext, journal: Journal) -> str:
    """Say how production will be once what was begun is undone."""
    first = "" if Releases(context.folder).ids() else _FIRST
    if not journal.find("applying"):
        return first + _UNTOUCHED
    starting = journal.find("starting")
    none = starting is not None and not starting["containers"]
    return first + (_NONE_AS_BEFORE if none else _AS_BEFORE)


def _in_between(error: ScarError, failure: ScarError) -> Outcome[DeployResult]:
    """Return the outcome if compensation failed too, which leaves production between the old and
    the new state.
    """
    state = (
        f"Putting production back failed too: {failure.message} It is between old and new. "
        f"{failure.hint} The next deploy or rollback tries to put it back first."
    )
    return Outcome(JobState.FAILED, DeployResult(production_state=state), error)
