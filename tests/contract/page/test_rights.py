"""Every screen and every form, for each role on each project: nothing is shown or done without the
right. A route that is not in the tables here fails.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from redis import Redis

from scar.access import Actor, Role
from scar.bootstrap import Services
from scar.commands import job_commands
from scar.commands.lock import LockCommand
from scar.jobs.record import Job, JobState
from scar.projects import Project
from tests.contract.page.conftest import Browser
from tests.support.acting_worker import ActingWorker
from tests.support.job_documents import CONTAINER, PLANNED, STATUS

PLAN = "a" * 64
CHIEF = Actor("api", "admin", "The chief")
ANYBODY, SIGNED_IN = "anybody", "signed in"
SCREENS: dict[str, Role | str] = {
    "/": SIGNED_IN,
    "/jobs": SIGNED_IN,
    "/jobs/<job_id>": Role.VIEWER,
    "/projects/<name>": Role.VIEWER,
    "/projects/<name>/logs": Role.VIEWER,
    "/projects/<name>/diff": Role.VIEWER,
    "/projects/<name>/releases": Role.VIEWER,
    "/projects/<name>/stats": Role.VIEWER,
    "/projects/<name>/kept": Role.OPERATOR,
    "/audit": Role.ADMIN,
    "/hosts": Role.ADMIN,
    "/projects-file": Role.ADMIN,
    "/sessions": SIGNED_IN,
    "/sign-in": ANYBODY,
    "/mini-app": ANYBODY,
}
FORMS = {
    "/alerts/<name>",
    "/commands",
    "/jobs/<job_id>/answer",
    "/jobs/<job_id>/cancel",
    "/locks/<name>",
    "/mini-app",
    "/sessions/<ref>/end",
    "/sessions/end-others",
    "/sign-in",
    "/sign-out",
}
ROLES: dict[str, dict[str | None, Role]] = {
    "nobody": {},
    "viewer": dict.fromkeys((None, "shop", "blog"), Role.VIEWER),
    "operator": dict.fromkeys((None, "shop", "blog"), Role.OPERATOR),
    "admin": dict.fromkeys((None, "shop", "blog"), Role.ADMIN),
    "blog viewer": {"blog": Role.VIEWER},
    "blog operator": {"blog": Role.OPERATOR},
    "blog admin": {"blog": Role.ADMIN},
}
PEOPLE = {"blog viewer": "77", "blog operator": "78", "blog admin": "79"}
EXTRA = {"agent": " mend it", "kept_restore": " 1"}


@pytest.fixture
def visitors(browser: Callable[..., Browser], link: Callable[[str], str]) -> dict[str, Browser]:
    """A browser of each of `ROLES`."""
    opened = {"nobody": browser()}
    for name in ("viewer", "operator", "admin"):
        opened[name] = browser(name)
    for name, id in PEOPLE.items():
        opened[name] = browser()
        assert opened[name].post("/sign-in", {"link": link(id)}).status_code == 303
    assert opened.keys() == ROLES.keys()
    return opened


@pytest.fixture
def jobs(services: Services, worker: ActingWorker) -> dict[str, Job]:
    """A deploy of each project that somebody else has asked for, with its question."""
    made = {}
    for name in ("shop", "blog"):
        project = services.projects.get(name)
        job = services.job_service.submit(CHIEF, job_commands()["deploy"], project, {})
        worker.claim(job.id).plan({**PLANNED, "workspace": f"/w/{name}-web", "hash": PLAN})
        made[name] = services.job_service.get(job.id)
    return made


def routes(browser: Browser, method: str) -> set[str]:
    return {
        rule.rule
        for rule in browser.client.application.url_map.iter_rules()
        if rule.endpoint.startswith("page.") and method in (rule.methods or ())
    }


def may(name: str, role: Role, project: str | None) -> bool:
    has = ROLES[name].get(project)
    return has is not None and has >= role


def test_a_screen_shows_nothing_without_the_right(
    visitors: dict[str, Browser], jobs: dict[str, Job], worker: ActingWorker
) -> None:
    visitors["admin"].get("/")
    for job in list(worker.services.ledger.recent()):
        if job.request.kind == "status":
            name = f"{job.request.project}-web"
            container = {**CONTAINER, "name": name, "image": None}
            worker.claim(job.id).succeed({**STATUS, "containers": [container]})
    for screen, name, project in product(SCREENS, ROLES, ("shop", "blog")):
        if "<" not in screen and project == "shop":
            continue
        path = screen.replace("<name>", project).replace("<job_id>", jobs[project].id)
        what = (screen, name, project)
        assert shown(visitors, name, path, jobs) == expected(SCREENS[screen], name, project), what
    live = {rule for rule in routes(visitors["admin"], "GET") if rule.endswith("/live")}
    assert routes(visitors["admin"], "GET") - live == SCREENS.keys()


def expected(needed: Role | str, name: str, project: str) -> bool:
    """Whether somebody sees a screen of a project."""
    if isinstance(needed, str):
        return needed == ANYBODY or bool(ROLES[name])
    return may(name, needed, None if needed is Role.ADMIN else project)


def shown(visitors: dict[str, Browser], name: str, path: str, jobs: dict[str, Job]) -> bool:
    """Return whether a screen is shown; it never has a word of a project that is hidden."""
    answer = visitors[name].get(path)
    assert answer.status_code in (200, 401, 403, 404)
    for project, job in jobs.items():
        if project not in ROLES[name]:
            # What the visitor has typed may be said again.
            text = answer.text.replace(path, "").replace(f"&#39;{job.id}&#39;", "")
            words = (f"{project}-web", f"/projects/{project}", job.id)
            assert not [word for word in words if word in text]
    return answer.status_code == 200


def test_a_live_screen_is_refused_without_the_right(
    visitors: dict[str, Browser], jobs: dict[str, Job]
) -> None:
    for path in ("/live", "/projects/shop/live", f"/jobs/{jobs['shop'].id}/live"):
        assert visitors["nobody"].get(path).status_code == 401
    for name in ("blog viewer", "blog operator", "blog admin"):
        for path in (f"/jobs/{jobs['shop'].id}/live", "/projects/shop/live"):
            assert visitors[name].get(path).status_code == 404


def test_a_command_does_nothing_without_the_right(
    visitors: dict[str, Browser], services: Services, redis: Redis
) -> None:
    assert routes(visitors["admin"], "POST") == FORMS
    commands = [c for c in job_commands().values() if c.for_project]
    for name, command, project in product(ROLES, commands, ("shop", "blog")):
        if None in ROLES[name] and project == "blog":
            continue  # the same role on every project
        before = redis.zcard("scar:jobs")
        text = f"/{command.word} {project}{EXTRA.get(command.kind, '')}"
        if ROLES[name]:
            visitors[name].say(text, key=f"{name} {text}")
        else:
            visitors[name].post("/commands", {"text": text})
        made = newest(services) if redis.zcard("scar:jobs") != before else None
        # What is no project's name to a visitor is part of an instruction to the agent.
        of_project = made is not None and made.request.project == project
        assert of_project == may(name, command.role, project), (name, text)
        if made is not None:
            services.job_service.cancel(CHIEF, made.id)


def newest(services: Services) -> Job:
    return next(services.ledger.recent(batch=1))


@pytest.mark.parametrize("what", ["answer", "cancel"])
def test_a_job_of_somebody_else_is_answered_by_operators_alone(
    visitors: dict[str, Browser],
    services: Services,
    worker: ActingWorker,
    what: str,
) -> None:
    form = {"answer": "yes", "shown": PLAN} if what == "answer" else {}
    done = JobState.QUEUED if what == "answer" else JobState.CANCELLED
    for name, visitor in visitors.items():
        for project in ("shop", "blog"):
            known: Project = services.projects.get(project)
            job = services.job_service.submit(CHIEF, job_commands()["restart"], known, {})
            worker.plan(job.id, PLAN)
            sent = {**form, "csrf": visitor.csrf()} if ROLES[name] else form
            visitor.post(f"/jobs/{job.id}/{what}", sent)
            state = services.job_service.get(job.id).state
            allowed = may(name, Role.OPERATOR, project)
            assert (state is done) == allowed, (name, project)
            if not state.ended:
                services.job_service.cancel(CHIEF, job.id)


def test_a_lock_is_for_operators(visitors: dict[str, Browser], services: Services) -> None:
    locks = services.command_context.locks
    for name, visitor in visitors.items():
        for project in ("shop", "blog"):
            sent = {"csrf": visitor.csrf()} if ROLES[name] else {}
            visitor.post(f"/locks/{project}", {"reason": "mine", **sent})
            allowed = may(name, LockCommand.role, project)
            assert (locks.of(project) is not None) == allowed, (name, project)
            locks.release(project, CHIEF)


def test_a_mute_is_for_operators(visitors: dict[str, Browser], services: Services) -> None:
    desk = services.command_context.alerts
    for name in ("shop", "blog"):
        desk.chats.switch(CHIEF, services.projects.get(name), "telegram:-100", on=True)
    for name, visitor in visitors.items():
        for project in ("shop", "blog"):
            sent = {"csrf": visitor.csrf()} if ROLES[name] else {}
            what = {"container": f"{project}-web", "for": "2h"}
            visitor.post(f"/alerts/{project}", {**what, **sent})
            muted = desk.mutes.all()
            assert bool(muted) == may(name, Role.OPERATOR, project), (name, project)
            desk.mutes.remove(muted)


def test_a_session_of_somebody_else_is_not_ended(browser: Callable[..., Browser]) -> None:
    mine, admin = browser("viewer"), browser("admin")
    sessions = mine.client.application.extensions["scar-page"].sessions
    target = sessions.of(Actor("web", "viewer", ""))[0]
    assert admin.send(f"/sessions/{target.ref}/end").status_code == 404
    assert mine.get("/").status_code == 200
