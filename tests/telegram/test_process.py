"""The bot as a process: killed, away, alone, and with a wrong token."""

from __future__ import annotations

import time

import httpx

from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from tests.support.acting_worker import ActingWorker, building, status_of
from tests.support.botapi import Chat
from tests.support.stopwatch import Stopwatch
from tests.support.telegram_scene import TOKEN, TelegramScene, question
from tests.support.waiting import eventually


def test_a_killed_bot_continues_its_message(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_deploy", chat)
    job = worker.next_job("deploy", str(chat.person.id))
    worker.plan(job.id, workspace="/w", production="/p", files={})
    chat.person.taps(question(chat), "🚀 Yes, deploy").wait()
    with worker.report(worker.claim(job.id)) as report:
        step, _ = building(3, 12)
        report.steps((step,), step)
        first = chat.wait_for_text("3/12")
        scene.kill_bot()
        step, _ = building(9, 12)
        report.steps((step,), step)
        scene.start_bot()
        again = chat.wait_for_text("9/12")
        report.finish(JobState.SUCCEEDED, result=DeployResult())
    shown = chat.wait_for_text("✅ Deployment complete!")
    assert first.id == again.id == shown.id
    texts = [version.text for version in shown.versions]
    assert texts.index(first.text) == len(texts) - 3, "what was shown never went back"
    assert len(chat.from_bot) == 1


def test_a_job_that_ended_while_the_bot_was_down_gets_its_result_shown(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    job = worker.next_job("status", str(chat.person.id))
    first = chat.wait_for_text("📊 Shop")
    scene.kill_bot()
    worker.finish(job.id, status_of("shop"))
    scene.start_bot()
    assert chat.wait_for_text("Production Status").id == first.id
    scene.telegram.wait_for(lambda: job.id not in scene.subscribed())


def test_commands_and_answers_sent_while_the_bot_was_down_are_not_carried_out(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_restart", chat)
    job = worker.next_job("restart", str(chat.person.id))
    worker.plan(job.id)
    shown = question(chat)
    scene.kill_bot()
    other = scene.chat("Bob")
    chat.person.says("yes", chat)
    tap = chat.person.taps(shown, "✅ Yes, restart")
    other.person.says("/docker_status", other, date=time.time() - 300)
    fresh = scene.chat("Eve")
    fresh.person.says("/help", fresh)
    scene.start_bot()
    assert tap.wait()["answer"]["text"] != "Confirmed."
    other.wait_for_text("That came while I was away")
    fresh.wait_for_text("What you may do here")
    assert worker.state(job.id) is JobState.AWAITING_CONFIRMATION
    assert worker.jobs_of(str(other.person.id)) == []
    chat.person.says("yes", chat, date=time.time() + 1)
    worker.until(job.id, JobState.QUEUED)


def test_an_update_that_is_delivered_twice_is_handled_once(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    worker.next_job("status", str(chat.person.id))
    chat.wait_for_text("📊 Shop")
    calls = scene.telegram.calls("getUpdates")
    incoming = [update for call in calls for update in call.get("result") or []]
    scene.kill_bot()
    with scene.telegram.world.changed:
        scene.telegram.world.updates.insert(0, incoming[-1])
    scene.start_bot()
    chat.person.says("/help", chat)
    chat.wait_for_text("What you may do here")
    assert incoming[-1]["message"]["text"] == "/docker_status"
    assert len(worker.jobs_of(str(chat.person.id))) == 1
    assert len(chat.from_bot) == 2


def test_a_restart_of_the_api_loses_no_message(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    job = worker.next_job("status", str(chat.person.id))
    chat.wait_for_text("📊 Shop")
    scene.restart_api()
    worker.finish(job.id, status_of("shop"))
    chat.wait_for_text("Production Status")
    assert len(chat.from_bot) == 1


def test_of_two_bots_with_one_token_one_ends_and_says_why(scene: TelegramScene, chat: Chat) -> None:
    second = scene.part("telegram")
    first = scene._bot
    assert first is not None
    eventually(lambda: [second.poll(), first.poll()] != [None, None], "one of them has ended")
    codes = [process.poll() for process in (first, second)]
    assert codes.count(None) == 1
    assert 4 in codes
    assert "Another process polls Telegram with the same SCAR_TELEGRAM_TOKEN" in scene.log
    if first.poll() is not None:
        scene._bot = second
    chat.person.says("/help", chat)
    chat.wait_for_text("What you may do here")


def test_a_wrong_token_is_reported_in_one_line(scene: TelegramScene) -> None:
    done = scene.installation.scar("telegram", SCAR_TELEGRAM_TOKEN="4242:wrong")
    assert done.returncode == 78
    assert "SCAR_TELEGRAM_TOKEN" in done.stderr.splitlines()[0]
    assert "wrong" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_bot_ends_at_sigterm_and_never_logs_its_token(scene: TelegramScene) -> None:
    began = Stopwatch()
    assert scene.stop_bot() == 0
    assert began.seconds() < 5
    assert TOKEN not in scene.log
    assert TOKEN.split(":")[1] not in scene.log
    assert "Traceback" not in scene.log
    scene.start_bot()
    assert httpx.get(f"{scene.settings.api_url}/healthz").is_success
