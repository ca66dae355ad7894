"""Sounds, command menus and reactions in Telegram."""

from __future__ import annotations

from scar.errors import ScarError
from tests.support.acting_worker import ActingWorker, status_of
from tests.support.botapi import Chat
from tests.support.telegram_scene import TelegramScene, question

BROKEN = ScarError("internal", "It broke", "Mend it.")


def test_only_the_end_that_went_wrong_makes_a_sound_also_where_the_bot_is_killed(
    scene: TelegramScene, chat: Chat, worker: ActingWorker
) -> None:
    chat.person.says("/docker_status", chat)
    worker.finish(worker.next_job("status", str(chat.person.id)).id, status_of("shop"))
    chat.wait_for_text("Production Status")
    chat.person.says("/docker_restart", chat)
    job = worker.next_job("restart", str(chat.person.id))
    worker.plan(job.id)
    chat.person.taps(question(chat), "✅ Yes, restart").wait()
    scene.telegram.fault("flood", chat=chat, method="sendMessage")
    scene.kill_bot()
    worker.fail(job.id, BROKEN)
    scene.start_bot()
    chat.wait_for_text("❌ Restart shop: failed")
    [sound] = chat.sounds
    [answer] = [one for one in chat.from_bot if one.id == sound.reply_to]
    assert "❌ Restart" in answer.text
    scene.telegram.wait_for(lambda: job.id not in scene.subscribed())
    assert scene.stop_bot() == 0
    scene.start_bot()
    assert [message.id for message in chat.sounds] == [sound.id]


def test_a_person_has_a_menu_of_what_they_may_do_and_sees_that_a_request_was_read(
    scene: TelegramScene, chat: Chat
) -> None:
    said = chat.person.says("/docker_restart", chat)
    menu: list[str] = []

    def is_set() -> bool:
        menu[:] = scene.telegram.menu("chat", str(chat.id))
        eyes = [one.reactions for one in chat.messages if one.id == said.id]
        return bool(menu) and eyes == [["👀"]]

    scene.telegram.wait_for(is_set, 60)
    assert "docker_deploy" in menu
    assert "audit" not in menu
    group = scene.telegram.group("ops")
    user = scene.telegram.person(scene.user())
    user.says("/help", group)
    member = ("chat_member", str(group.id), str(user.id))
    scene.telegram.wait_for(lambda: scene.telegram.menu(*member) == menu, 60)
