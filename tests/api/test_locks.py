"""`/docker_lock`, `/docker_unlock` and `/docker_cancel`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scar.access import Actor, Role
from scar.bootstrap import Services
from scar.commands.cancel import COMMAND as CANCEL
from scar.commands.lock import COMMAND as LOCK
from scar.commands.unlock import COMMAND as UNLOCK
from scar.errors import ScarError
from scar.jobs.record import JobState
from tests.support.acting_worker import ActingWorker
from tests.support.live_api import Caller

Call = Callable[[str | None], Caller]
CI = Actor("api", "ci", "ci", Role.OPERATOR)
ROOT = Actor("api", "root", "root", Role.ADMIN)
PHONE = Actor("api", "phone", "phone", Role.VIEWER)


def ask(call: Call, kind: str, project: str = "shop", who: str = "ci") -> tuple[int, str]:
    body = {"kind": kind, "project": project}
    answer = call(who)("POST", "/api/v1/jobs", json=body)
    return answer.status_code, str(answer.json.get("detail") or answer.json["id"])


@pytest.mark.usefixtures("worker")
def test_a_locked_project_refuses_changes_only(call: Call, services: Services) -> None:
    reply = LOCK.reply(CI, ["shop", "moving", "the", "database"], services.command_context)
    assert "moving the database" in reply.text
    for kind in ("deploy", "restart", "rollback"):
        status, why = ask(call, kind, who="root")
        assert status == 409
        assert "locked by ci (api) since" in why
        assert why.endswith("moving the database")
    assert ask(call, "status")[0] == 202
    assert ask(call, "deploy", "blog", who="root")[0] == 202
    with pytest.raises(ScarError, match="moving the database"):
        LOCK.reply(ROOT, ["shop", "again"], services.command_context)
    reply = UNLOCK.reply(ROOT, ["shop"], services.command_context)
    assert "by ci (api)" in reply.text
    assert ask(call, "deploy")[0] == 202
    outcomes = [(e.actor, e.action, e.outcome) for e in services.audit.recent()]
    assert ("api:ci", "docker_lock", "locked: moving the database") in outcomes
    assert ("api:root", "deploy", "refused: busy") in outcomes
    assert ("api:root", "docker_unlock", "released") in outcomes


def test_a_lock_refuses_the_confirmation_of_an_older_job(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    _, id = ask(call, "deploy")
    worker.claim(id).plan({"hash": "h"})
    LOCK.reply(CI, ["shop", "wait"], services.command_context)
    answer = call("ci")("POST", f"/api/v1/jobs/{id}/confirm", json={"answer": "yes"})
    assert (answer.status_code, answer.json["code"]) == (409, "busy")
    UNLOCK.reply(CI, ["shop"], services.command_context)
    answer = call("ci")("POST", f"/api/v1/jobs/{id}/confirm", json={"answer": "yes"})
    assert answer.status_code == 202


@pytest.mark.usefixtures("worker")
def test_only_admins_lock_all_projects(call: Call, services: Services) -> None:
    with pytest.raises(ScarError) as refused:
        LOCK.reply(CI, ["all", "night"], services.command_context)
    assert refused.value.code == "forbidden"
    LOCK.reply(ROOT, ["all", "night"], services.command_context)
    for project in ("shop", "blog"):
        assert ask(call, "deploy", project, who="root") == (409, ask(call, "deploy", project)[1])
    assert "Every project is locked" in UNLOCK.reply(CI, ["shop"], services.command_context).text
    UNLOCK.reply(ROOT, ["all"], services.command_context)
    assert ask(call, "deploy")[0] == 202


def test_a_viewer_may_not_lock(services: Services) -> None:
    for command, words in ((LOCK, ["shop", "because"]), (UNLOCK, ["shop"])):
        with pytest.raises(ScarError) as refused:
            command.reply(PHONE, words, services.command_context)
        assert refused.value.code == "forbidden"
    with pytest.raises(ScarError, match="needs a reason"):
        LOCK.reply(CI, ["shop"], services.command_context)


def test_cancel_without_an_id_cancels_the_only_unfinished_job(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    with pytest.raises(ScarError, match="no job to cancel"):
        CANCEL.reply(CI, [], services.command_context)
    _, waiting = ask(call, "deploy")
    reply = CANCEL.reply(CI, [], services.command_context)
    assert waiting in reply.text
    assert "nothing was done" in reply.text
    body = {"kind": "restart", "project": "shop", "confirm": "yes"}
    running = call("ci")("POST", "/api/v1/jobs", json=body).json["id"]
    claim = worker.claim(running)
    _, other = ask(call, "deploy", "blog", who="root")
    reply = CANCEL.reply(ROOT, [], services.command_context)
    assert running in reply.text, "the one that runs, although a question is open"
    assert services.ledger.renew(running, claim.claim.fence)[1]
    assert services.job_service.get(other).state is JobState.AWAITING_CONFIRMATION
    with pytest.raises(ScarError) as refused:
        CANCEL.reply(PHONE, [other], services.command_context)
    assert refused.value.code == "forbidden"


def test_cancel_lists_the_running_jobs_if_there_are_several_and_refuses_an_unknown_word(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    ids = []
    for project in ("shop", "blog"):
        body = {"kind": "restart", "project": project, "confirm": "yes"}
        ids.append(call("root")("POST", "/api/v1/jobs", json=body).json["id"])
        worker.claim(ids[-1])
    with pytest.raises(ScarError, match="2 jobs are open") as several:
        CANCEL.reply(ROOT, [], services.command_context)
    assert all(f"/docker_cancel {id}" in several.value.hint for id in ids)
    assert ids[0] in CANCEL.reply(ROOT, ["shop"], services.command_context).text
    for word in ("shp", "01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        with pytest.raises(ScarError, match=f"No job or project '{word}'"):
            CANCEL.reply(ROOT, [word], services.command_context)


def test_cancel_ends_the_persons_own_live_log_and_not_that_of_somebody_else(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    followed = [
        call(who)("POST", "/api/v1/jobs", json={"kind": "follow", "project": "shop"}).json["id"]
        for who in ("phone", "root")
    ]
    for id in followed:
        worker.claim(id)
    assert followed[0] in CANCEL.reply(PHONE, [], services.command_context).text
    assert followed[1] in CANCEL.reply(ROOT, ["shop"], services.command_context).text


def test_a_job_past_its_point_of_no_return_is_not_cancelled(
    call: Call, services: Services, worker: ActingWorker
) -> None:
    body = {"kind": "restart", "project": "shop", "confirm": "yes"}
    id = call("ci")("POST", "/api/v1/jobs", json=body).json["id"]
    assert worker.claim(id).say(fields={"settled": "1"})
    with pytest.raises(ScarError, match="Too late"):
        CANCEL.reply(CI, [id], services.command_context)
