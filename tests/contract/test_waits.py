"""How long a job waits for another, by what earlier ones took."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from scar.bootstrap import Services
from scar.chat.job_wait import wait_line
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.step import Step, StepState
from tests.support.acting_worker import ActingWorker

Ask = Callable[..., Job]


def of_this_length(worker: ActingWorker, job: Job, seconds: float) -> None:
    """Run a job to its good end, as if its one step had taken so long."""
    claim = worker.claim(job.id)
    end = int(time.time() * 1000)
    begun = end - int(seconds * 1000)
    claim.step(Step("restarting:web", "Restarting", StepState.SUCCEEDED, begun, end, detail="web"))
    claim.succeed({"downtime_seconds": 0.2})


def test_a_queued_job_says_behind_which_job_it_waits_and_about_how_long(
    services: Services, ask: Ask, worker: ActingWorker
) -> None:
    for seconds in (20, 300, 61):
        of_this_length(worker, ask("restart", confirmed=True), seconds)
    running = ask("restart", confirmed=True)
    waiting = ask("status")
    now = time.time()
    assert wait_line(services.ledger, waiting, now) is None
    claim = worker.claim(running.id)
    begun = int((now - 20) * 1000)
    claim.step(Step("restarting:web", "Restarting", StepState.RUNNING, begun, detail="web"))
    line = wait_line(services.ledger, waiting, now)
    assert line == "⏳ Waits behind Olga's restart of shop, about 40 s"
    late = wait_line(services.ledger, waiting, now + 600)
    assert late == "⏳ Waits behind Olga's restart of shop"
    with pytest.raises(ScarError) as busy:
        ask("restart", confirmed=True)
    assert "Wait until it has ended, about " in busy.value.hint
    assert services.job_service.get(running.id).state is JobState.RUNNING
