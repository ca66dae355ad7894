"""Which jobs' ends are announced with a sound, and in which words."""

from __future__ import annotations

import pytest

from scar.access import Actor
from scar.chat.end_delivery import is_to_be_told
from scar.chat.end_notice import end_notice, needs_notice
from scar.chat.message_state import MessageState
from scar.errors import ErrorRecord
from scar.jobs.event import Event
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.step import Step, StepState
from scar.json_object import JsonObject

ADA, BOB = Actor("telegram", "1", "Ada"), Actor("telegram", "2", "Bob")


def ended(state: str, *before: str, seconds: float = 3, changes: bool = True) -> Job:
    """Return a job after `before`, one second each, that ended so long after the last of them."""
    request = Request("J", "deploy", "shop", "default", {}, ADA, changes, changes, 1000, 0)
    job = Job(request, JobState.AWAITING_CONFIRMATION if changes else JobState.QUEUED)
    at = 1000
    for number, name in enumerate((*before, state)):
        at = 1000 + 1000 * number if name != state else at + int(1000 * seconds)
        data: JsonObject = {"state": name}
        if name == "awaiting_confirmation":
            data = {**data, "plan": {"hash": "a"}}
        job = job.after(Event(number + 1, "job", at, data))
    return job


ASKED = ("awaiting_confirmation",)
RUN = (*ASKED, "queued", "running")


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (ended("succeeded", *RUN, seconds=3), False),
        (ended("succeeded", *RUN, seconds=19), False),
        (ended("succeeded", *RUN, seconds=21), True),
        (ended("failed", *RUN), True),
        (ended("rolled_back", *RUN), True),
        (ended("failed"), True),
        (ended("cancelled", *ASKED), False),
        (ended("expired", *ASKED), False),
        (ended("cancelled", *ASKED, "queued"), True),
        (ended("expired", *ASKED, "queued"), True),
        (ended("cancelled", *RUN), True),
        (ended("cancelled", *RUN, *ASKED), False),
        (ended("running", *ASKED, "queued", seconds=99), False),
        (ended("failed", "running", seconds=99, changes=False), False),
        (ended("succeeded", "running", seconds=99, changes=False), False),
    ],
)
def test_only_the_end_of_a_long_or_failed_job_makes_a_sound(job: Job, told: bool) -> None:
    assert needs_notice(job) is told


def test_the_duration_comes_from_the_workers_signed_steps_if_other_times_are_malformed() -> None:
    step = Step("building", "Building", StepState.SUCCEEDED, 5_000, 47_000)
    job = ended("succeeded", *RUN, seconds=1)
    job = job.after(Event(99, "step", 0, step.to_json()))
    assert needs_notice(job)
    assert end_notice(job).text == "✅ Deploy shop: done after 42s"


def test_a_failure_says_why_in_one_line() -> None:
    job = ended("failed", *RUN, seconds=61)
    error = ErrorRecord("internal", "No space left\nat /var", "Free some.")
    job = job.after(Event(99, "result", 0, {"result": None, "error": error.to_json()}))
    assert end_notice(job).text == "❌ Deploy shop: failed after 1m\nNo space left"


def test_a_person_who_displays_a_job_of_somebody_else_is_notified_of_its_end() -> None:
    going, over = ended("running"), ended("failed")
    assert is_to_be_told(MessageState(), over)
    assert not is_to_be_told(MessageState(notified=True), over)
    assert is_to_be_told(MessageState(opener=BOB), going)
    assert not is_to_be_told(MessageState(opener=BOB), over)
    assert is_to_be_told(MessageState(reference="7", opener=BOB), over)
    assert not is_to_be_told(MessageState(opener=ADA), going)


def test_a_state_of_a_message_is_read_back() -> None:
    state = MessageState("7", opener=BOB, notified=True)
    assert MessageState.from_text(state.to_text()) == state
