"""What ended jobs offer: Again, the lists of jobs, and how long others have to wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from scar.access import Access, Actor, Role, UserDirectory
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from scar.commands import all_commands, job_commands
from scar.commands.again import COMMAND as AGAIN
from scar.commands.job import COMMAND as JOB
from scar.commands.jobs import COMMAND as JOBS
from scar.commands.local_command import RepeatCommand, WindowCommand
from scar.errors import ScarError
from scar.jobs.record import Job
from tests.support.acting_worker import ActingWorker
from tests.support.keys import front_end_token
from tests.support.letterbox import LetterBox, Writer
from tests.support.waiting import PATIENCE

Ask = Callable[..., Job]
BROKEN = ScarError("internal", "It broke", "Mend it.")
RESTARTED = {"downtime_seconds": 0.2}


def test_again_repeats_the_request_with_a_new_question(
    services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def sheet_with(box: LetterBox, words: str) -> str:
        while True:
            for reference, versions in box.sheets.items():
                if words in versions[-1].text:
                    return reference
            await asyncio.sleep(0.01)

    async def test() -> None:
        box = LetterBox("telegram")
        token = front_end_token(services.settings, operator)
        conversation = Conversation(box, services, ApiClient(api_url, token))
        writer = Writer(conversation, operator)
        await writer.says("/docker_restart shop")
        first = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        await asyncio.to_thread(worker.fail, first.id, BROKEN)
        failed = await sheet_with(box, "It broke")
        await writer.taps("again", box.tags[failed])
        second = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        assert second.id != first.id
        await asyncio.to_thread(worker.plan, second.id)
        await sheet_with(box, "Type `yes` to confirm")
        await writer.says("no")
        await conversation.settle()
        await writer.says("/docker_again shop")
        third = await asyncio.to_thread(worker.next_job, "restart", operator.id)
        assert third.request.project == "shop"
        await writer.says("/docker_again")
        await sheet_with(box, "restart shop goes on: it has not ended yet")
        await conversation.close()

    asyncio.run(asyncio.wait_for(test(), PATIENCE))


def test_again_without_an_earlier_job_is_refused_and_after_a_push_deploys_the_workspace(
    services: Services, operator: Actor
) -> None:
    with pytest.raises(ScarError, match="no job of yours that changed anything"):
        AGAIN.find(operator, (), services.command_context)
    assert job_commands()["deploy"].repeated({"push": {"commit": "abc"}}) == {}
    assert job_commands()["rollback"].repeated({"release": "01J"}) == {"release": "01J"}


def test_every_kind_that_changes_something_can_be_asked_for_again(
    services: Services, ask: Ask, worker: ActingWorker, operator: Actor
) -> None:
    worker.fail(ask("restart", confirmed=True).id, BROKEN)
    command, invocation = AGAIN.find(operator, ("shop",), services.command_context)
    assert command.kind == "restart"
    assert invocation.project == services.projects.get("shop")
    assert AGAIN in all_commands()


def test_jobs_are_listed_by_page_and_those_that_failed_alone(
    services: Services, ask: Ask, worker: ActingWorker, operator: Actor
) -> None:
    for number in range(12):
        job = ask("restart", confirmed=True)
        if number % 6:
            worker.finish(job.id, RESTARTED)
        else:
            worker.fail(job.id, BROKEN)
    context = services.command_context
    first = JOBS.reply(operator, ("shop",), context)
    assert first.text.startswith("🗂️ Jobs of shop, newest first\n✅ restart shop: succeeded")
    assert len(first.text.splitlines()) == 11
    [older] = first.buttons
    assert older.command is not None
    second = JOBS.reply(operator, older.command.split()[1:], context)
    assert len(second.text.splitlines()) == 3
    assert not second.buttons
    failed = JOBS.reply(operator, ("failed",), context)
    assert failed.text.startswith("🗂️ Jobs that failed, newest first\n❌ restart shop: failed")
    assert len(failed.text.splitlines()) == 3


def test_a_viewer_does_not_see_what_was_read_for_an_operator(
    ask: Ask, services: Services, worker: ActingWorker, operator: Actor
) -> None:
    people = UserDirectory({"1": Role.OPERATOR, "2": Role.VIEWER})
    context = replace(services.command_context, access=Access({"telegram": people}, ()))
    viewer = Actor("telegram", "2", "Vera")
    kept, status, restart = ask("kept"), ask("status"), ask("restart")
    worker.finish(kept.id, {"files": []})
    for job in (status, restart):
        assert JOB.find(viewer, [job.id], context).id == job.id
    with pytest.raises(ScarError, match="not found"):
        JOB.find(viewer, [kept.id], context)
    assert JOB.find(operator, [kept.id], context).id == kept.id


@pytest.mark.parametrize("command", [JOB, AGAIN])
def test_a_word_that_is_neither_a_job_nor_a_project_is_said_to_be_none(
    services: Services, operator: Actor, command: WindowCommand | RepeatCommand
) -> None:
    with pytest.raises(ScarError, match="'shpo' is neither a job nor a project") as refused:
        command.find(operator, ["shpo"], services.command_context)
    assert refused.value.hint == "Did you mean 'shop'? /jobs lists the latest jobs."
