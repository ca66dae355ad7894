"""When a `yes` counts, and all the ways in which it does not."""

from __future__ import annotations

import time

import pytest

from scar.jobs.record import Job, JobState
from tests.support.acting_worker import ActingWorker
from tests.support.botapi import Chat, Message
from tests.support.stopwatch import Stopwatch
from tests.support.telegram_scene import STRANGER, TelegramScene, question


@pytest.fixture
def group(scene: TelegramScene) -> Chat:
    return scene.telegram.group("ops", supergroup=True, admin=True)


NEWCOMER = 67
"""A stranger of one test alone: who writes too much is not answered."""


def ask(
    worker: ActingWorker, chat: Chat, user: int, thread: int | None = None
) -> tuple[Job, Message]:
    """A restart whose question is on the table."""
    chat._telegram.person(user).says("/docker_restart", chat, thread)
    job = worker.next_job("restart", str(user))
    worker.plan(job.id)
    return job, chat.wait_for(lambda message: bool(message.buttons) and message.thread == thread)


def nothing_happens(scene: TelegramScene, worker: ActingWorker, job: Job) -> None:
    """Once the bot has handled everything, the job still waits for its answer."""
    scene.telegram.wait_for(lambda: scene.telegram.pending() == 0)
    assert worker.state(job.id) is JobState.AWAITING_CONFIRMATION


@pytest.mark.parametrize("said", ["yes", "YES", "  Yes \n"])
def test_a_typed_yes_runs_the_job_once(chat: Chat, worker: ActingWorker, said: str) -> None:
    job, _ = ask(worker, chat, chat.person.id)
    chat.person.says(said, chat)
    chat.person.says("yes", chat)
    worker.until(job.id, JobState.QUEUED)
    worker.finish(job.id, {"downtime_seconds": None})
    chat.wait_for_text("🔄 Restarting containers...")
    chat.wait_for_text("Production is live")
    assert len(worker.jobs_of(str(chat.person.id))) == 1
    assert len(chat.from_bot) == 1


def test_a_tapped_button_is_answered_within_two_seconds_and_counts_once(
    chat: Chat, worker: ActingWorker
) -> None:
    job, shown = ask(worker, chat, chat.person.id)
    data = shown.markup["inline_keyboard"][0][0]["callback_data"] if shown.markup else ""
    assert len(data.encode()) <= 64
    began = Stopwatch()
    first = chat.person.taps(shown, "✅ Yes, restart")
    second = chat.person.taps(shown, "✅ Yes, restart")
    said = first.wait()
    assert said["answer"]["text"] == "Confirmed."
    assert began.seconds() < 2
    assert second.wait()["answer"]["text"] == "There is nothing to confirm here."
    worker.until(job.id, JobState.QUEUED)


@pytest.mark.parametrize("said", ["y", "yes.", "yes please", "👍", "да", "ye s", "yes\nyes"])
def test_only_the_word_yes_confirms(
    scene: TelegramScene, chat: Chat, worker: ActingWorker, said: str
) -> None:
    job, _ = ask(worker, chat, chat.person.id)
    chat.person.says(said, chat)
    nothing_happens(scene, worker, job)


def test_edited_and_forwarded_yes_do_not_count(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    job, _ = ask(worker, chat, chat.person.id)
    chat.person.says("yes", chat, forwarded=True)
    chat.person.says("yse", chat)
    chat.person.says("yes", chat, edited=True)
    nothing_happens(scene, worker, job)


def test_only_the_person_who_asked_can_answer(
    scene: TelegramScene, group: Chat, worker: ActingWorker
) -> None:
    asker, other = scene.user(), scene.telegram.person(scene.user())
    stranger = scene.telegram.person(STRANGER)
    job, shown = ask(worker, group, asker)
    for person in (other, stranger):
        person.says("yes", group)
        person.says("no", group)
    assert "can answer this" in other.taps(shown, "✅ Yes, restart").wait()["answer"]["text"]
    assert "Your id is telegram:66" in stranger.taps(shown, "✖️ No").wait()["answer"]["text"]
    nothing_happens(scene, worker, job)
    assert len(group.from_bot) == 1
    scene.telegram.person(asker).says("yes", group)
    worker.until(job.id, JobState.QUEUED)


def test_a_stranger_is_told_the_id_to_add_and_nothing_else(
    scene: TelegramScene, group: Chat, worker: ActingWorker
) -> None:
    for text in ("/docker_status", "/docker_deploy shop", "/help", "/projects", "/nonsense"):
        scene.telegram.person(NEWCOMER).says(text, group)
    scene.telegram.wait_for(lambda: len(group.from_bot) == 5)
    said = {message.text for message in group.from_bot}
    assert len(said) == 1
    assert "telegram:67" in said.pop()
    assert worker.jobs_of(str(NEWCOMER)) == []
    trail = [e for e in scene.services.audit.recent() if e.actor == f"telegram:{NEWCOMER}"]
    assert "refused: unauthorized" in {entry.outcome for entry in trail}


def test_a_yes_in_another_thread_or_chat_does_not_count(
    scene: TelegramScene, worker: ActingWorker
) -> None:
    forum = scene.telegram.group("forum", forum=True, admin=True)
    here, there = forum.topic("here"), forum.topic("there")
    user = scene.user()
    person = scene.telegram.person(user)
    job, _ = ask(worker, forum, user, thread=here)
    person.says("yes", forum, there)
    person.says("yes", forum)
    person.says("yes", scene.telegram.private_chat(user, "Ada"))
    nothing_happens(scene, worker, job)
    person.says("yes", forum, here)
    worker.until(job.id, JobState.QUEUED)


def test_a_yes_written_before_the_question_does_not_count(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_restart", chat)
    chat.person.says("yes", chat)
    job = worker.next_job("restart", str(chat.person.id))
    scene.telegram.wait_for(lambda: scene.telegram.pending() == 0)
    worker.plan(job.id)
    question(chat)
    chat.person.says("yes", chat, date=time.time() - 30)
    chat.wait_for_text("That came while I was away")
    nothing_happens(scene, worker, job)


@pytest.mark.parametrize("said", ["no", "/docker_status", "/docker_status nonsense", "/help"])
def test_no_or_another_command_cancels_the_job(
    scene: TelegramScene, chat: Chat, worker: ActingWorker, said: str
) -> None:
    job, _ = ask(worker, chat, chat.person.id)
    chat.person.says(said, chat)
    worker.until(job.id, JobState.CANCELLED)
    chat.wait_for_text("❌ Cancelled by Ada")
    chat.person.says("yes", chat)
    scene.telegram.wait_for(lambda: scene.telegram.pending() == 0)
    assert worker.state(job.id) is JobState.CANCELLED


def test_another_persons_command_does_not_cancel_the_job(
    scene: TelegramScene, group: Chat, worker: ActingWorker
) -> None:
    job, _ = ask(worker, group, scene.user())
    scene.telegram.person(scene.user()).says("/help", group)
    group.wait_for_text("What you may do here")
    nothing_happens(scene, worker, job)


def test_a_yes_after_the_time_to_answer_does_nothing(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    job, _ = ask(worker, chat, chat.person.id)
    scene.services.redis.hset(f"scar:job:{job.id}", "confirm_until", "1")
    chat.person.says("yes", chat)
    chat.wait_for_text("awaits no confirmation")
    worker.sweep()
    chat.wait_for_text("Nobody confirmed in time, nothing was done")
    chat.person.says("yes", chat)
    scene.telegram.wait_for(lambda: scene.telegram.pending() == 0)
    assert worker.state(job.id) is JobState.EXPIRED


def test_a_plan_that_changed_after_the_yes_is_asked_again(chat: Chat, worker: ActingWorker) -> None:
    job, shown = ask(worker, chat, chat.person.id)
    chat.person.says("yes", chat)
    worker.plan_again(worker.claim(job.id), "b" * 64, containers=["web", "db"])
    again = chat.wait_for_text("- db")
    assert again.id == shown.id
    assert again.buttons
    chat.person.says("yes", chat)
    worker.until(job.id, JobState.QUEUED)


def test_a_button_under_an_older_plan_does_not_count(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    job, shown = ask(worker, chat, chat.person.id)
    chat.person.says("yes", chat)
    claim = worker.claim(job.id)
    scene.telegram.fault("flood", chat=chat, method="editMessageText", seconds=2, times=1)
    worker.plan_again(claim, "b" * 64, containers=["web", "db"])
    worker.until(job.id, JobState.AWAITING_CONFIRMATION)
    old = next(m for m in chat.from_bot if m.id == shown.id)
    if old.buttons:
        said = chat.person.taps(old, "✅ Yes, restart").wait()["answer"]["text"]
        assert said != "Confirmed."
    chat.person.says("yes", chat)
    chat.wait_for_text("- db")
    nothing_happens(scene, worker, job)


def test_a_confirmed_job_is_not_cancelled_by_the_next_command(
    chat: Chat, worker: ActingWorker
) -> None:
    job, _ = ask(worker, chat, chat.person.id)
    chat.person.says("yes", chat)
    chat.person.says("/help", chat)
    chat.wait_for_text("What you may do here")
    assert worker.state(job.id) is JobState.QUEUED
