"""The message of a job in a chat: one for each job, edited at the permitted rate, never cut, always
the true state.
"""

from __future__ import annotations

from scar.commands import all_commands
from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from scar.jobs.results.restart import RestartResult
from scar.jobs.step import StepState
from tests.support.acting_worker import ActingWorker, building, log_of, restarting, status_of
from tests.support.botapi import Chat
from tests.support.job_documents import USAGE_OVER_TIME
from tests.support.telegram_scene import TOKEN, TelegramScene, question


def test_a_job_is_shown_in_one_message(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    job = worker.next_job("status", str(chat.person.id))
    first = chat.wait_for_text("📊 Shop")
    worker.finish(job.id, status_of("shop"))
    shown = chat.wait_for_text("📊 Shop - Production Status")
    assert shown.id == first.id
    assert len(chat.from_bot) == 1
    assert "📁 Workspace: /workspace/shop" in shown.text
    assert TOKEN not in scene.log


def test_a_private_chat_is_edited_once_a_second_and_ends_with_the_result(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    scene.telegram.limits(True)
    chat.person.says("/docker_deploy", chat)
    job = worker.next_job("deploy", str(chat.person.id))
    worker.plan(job.id, workspace="/w", production="/p", files={})
    chat.person.taps(question(chat), "🚀 Yes, deploy").wait()
    with worker.report(worker.claim(job.id)) as report:
        for done in range(1, 13):
            step, progress = building(done, 12)
            report.steps((step,), step)
            report.progress("building", progress)
            if done == 6:
                chat.wait_for_text("🔨 Building new image...")
        report.finish(JobState.SUCCEEDED, result=DeployResult(downtime_seconds=1.5))
    shown = chat.wait_for_text("✅ Deployment complete!")
    assert "🔨 Building new image... 12/12" in shown.text
    assert len(chat.from_bot) == 1
    assert chat.least_spacing() >= 0.95
    assert not [call for call in scene.telegram.calls(chat=chat) if call["status"] == 429]


def test_a_group_is_edited_once_in_three_seconds(
    scene: TelegramScene, worker: ActingWorker
) -> None:
    group = scene.telegram.group("ops", forum=True)
    thread = group.topic("deploys")
    user = scene.telegram.person(scene.user())
    user.says("/docker_restart@test_scar_bot", group, thread)
    job = worker.next_job("restart", str(user.id))
    worker.plan(job.id)
    user.taps(question(group), "✅ Yes, restart").wait()
    with worker.report(worker.claim(job.id)) as report:
        steps = (restarting("web", StepState.RUNNING),)
        report.steps(steps, steps[0])
        group.wait_for(lambda message: not message.buttons)
        steps = (restarting("web", StepState.SUCCEEDED),)
        report.steps(steps, steps[0])
        report.finish(JobState.SUCCEEDED, result=RestartResult(downtime_seconds=None))
    shown = group.wait_for_text("✅ All containers healthy. Production is live.")
    assert "✅ web restarted" in shown.text
    assert [message.thread for message in group.from_bot] == [thread]
    assert group.least_spacing() >= 2.9


def test_the_result_is_shown_in_spite_of_failing_requests(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    for kind in ("flood", "error", "drop", "lose"):
        chat.person.says("/docker_logs 3", chat)
        job = worker.next_job("logs", str(chat.person.id))
        chat.wait_for_text("📜 Reading logs...")
        scene.telegram.fault(kind, chat=chat, method="editMessageText")
        worker.finish(job.id, log_of([f"line of {kind}"]))
        chat.wait_for_text(f"line of {kind}", 15)
    assert len(chat.from_bot) == 4


def test_an_answer_without_a_job_is_sent_after_a_rate_limit(
    scene: TelegramScene, chat: Chat
) -> None:
    scene.telegram.fault("flood", chat=chat, method="sendMessage", times=2)
    chat.person.says("/help", chat)
    other = scene.chat("Bob")
    other.person.says("/help", other)
    other.wait_for_text("What you may do here", 3)
    chat.wait_for_text("What you may do here")
    assert len(chat.from_bot) == 1


def test_a_long_log_is_sent_as_a_file_once(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    lines = [f"[2025-12-20 15:30:11] INFO: <b>𝔘 line</b> {number}" for number in range(3000)]
    chat.person.says("/docker_logs shop 3000", chat)
    job = worker.next_job("logs", str(chat.person.id))
    worker.finish(job.id, log_of(lines))
    file = chat.wait_for(lambda message: message.file is not None)
    shown = chat.wait_for_text("📜 web - Last 3000 lines")
    assert file.reply_to == shown.id
    assert lines[-1] in shown.text
    assert chat.content(file).decode() == "\n".join(lines) + "\n"
    scene.kill_bot()
    scene.start_bot()
    chat.person.says("/help", chat)
    chat.wait_for_text("What you may do here")
    assert len([message for message in chat.from_bot if message.file]) == 1


def test_figures_over_a_time_are_sent_as_a_picture_without_a_sound(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_stats shop 1h", chat)
    job = worker.next_job("stats", str(chat.person.id))
    worker.finish(job.id, USAGE_OVER_TIME)
    picture = chat.wait_for(lambda message: message.file is not None)
    shown = chat.wait_for_text("📈 Shop - Container Stats, last 1h")
    assert picture.reply_to == shown.id
    assert chat.content(picture).startswith(b"\x89PNG")
    (call,) = scene.telegram.calls(chat=chat, method="sendPhoto")
    assert str(call["params"]["disable_notification"]).lower() == "true"


def test_a_long_plan_is_sent_as_a_file_before_the_yes(chat: Chat, worker: ActingWorker) -> None:
    names = [f"container-with-quite-a-long-name-{number}" for number in range(300)]
    chat.person.says("/docker_restart", chat)
    job = worker.next_job("restart", str(chat.person.id))
    worker.plan(job.id, containers=names)
    file = chat.wait_for(lambda message: message.file is not None)
    whole = chat.content(file).decode()
    assert all(f"- {name}\n" in whole for name in names)
    assert "Type `yes` to confirm" in question(chat).text


def test_hostile_text_is_shown_as_text(chat: Chat, worker: ActingWorker) -> None:
    hostile = "</pre><b>bold</b> _*[]()~` & @somebody /docker_deploy https://example.org"
    chat.person.says("/docker_logs", chat)
    job = worker.next_job("logs", str(chat.person.id))
    worker.fail(job.id, ScarError("internal", f"It said {hostile}", "Wait.", lines=(hostile,)))
    shown = chat.wait_for_text("❌ Logs failed")
    assert shown.marked("pre") == [hostile]
    assert {entity["type"] for entity in shown.entities} <= {"pre", "bot_command"}
    assert shown.text.replace("\u2060", "").count(hostile) == 2
    sent = [c for c in chat._telegram.calls(chat=chat) if "text" in c["params"]]
    assert all("is_disabled" in str(c["params"]["link_preview_options"]) for c in sent)


def test_a_deleted_message_is_sent_again(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    job = worker.next_job("status", str(chat.person.id))
    first = chat.wait_for_text("📊 Shop")
    scene.telegram.called(TOKEN, "deleteMessage", {"chat_id": chat.id, "message_id": first.id})
    worker.finish(job.id, status_of("shop"))
    assert chat.wait_for_text("Production Status").id != first.id


def test_a_group_that_became_a_supergroup_gets_the_result(
    scene: TelegramScene, worker: ActingWorker
) -> None:
    group = scene.telegram.group("ops")
    user = scene.telegram.person(scene.user())
    user.says("/docker_status", group)
    job = worker.next_job("status", str(user.id))
    group.wait_for_text("📊 Shop")
    large = group.migrate()
    worker.finish(job.id, status_of("shop"))
    large.wait_for_text("📊 Shop - Production Status")


def test_a_person_who_blocks_the_bot_does_not_disturb_others(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    job = worker.next_job("status", str(chat.person.id))
    chat.wait_for_text("📊 Shop")
    chat.block()
    worker.finish(job.id, status_of("shop"))
    other = scene.chat("Bob")
    other.person.says("/help", other)
    other.wait_for_text("What you may do here")
    scene.telegram.wait_for(lambda: job.id not in scene.subscribed())


def test_telegram_offers_every_command(scene: TelegramScene) -> None:
    known = {command["command"] for command in scene.telegram.commands()}
    assert known == {command.word for command in all_commands()}


def test_talk_in_a_private_chat_gets_a_short_answer(chat: Chat, worker: ActingWorker) -> None:
    chat.person.says("hello", chat)
    chat.wait_for_text("I only know commands: /docker_status")
    chat.person.says("yes", chat)
    chat.wait_for_text("There is nothing to confirm here.")
    assert worker.jobs_of(str(chat.person.id)) == []


def test_messages_that_no_person_wrote_to_the_bot_are_ignored(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    person = chat.person
    person.says("/docker_status@other_bot", chat)
    person.says("/docker_status", chat, forwarded=True)
    person.says("/docker_status", chat, extra={"via_bot": scene.telegram.world.bot})
    sender = {"id": -100_5, "type": "channel", "title": "somebody"}
    person.says("/docker_status", chat, extra={"sender_chat": sender})
    person.says("/docker_status", chat, edited=True)
    person.says("/help", chat)
    chat.wait_for_text("What you may do here")
    assert len(chat.from_bot) == 1
    assert worker.jobs_of(str(person.id)) == []
