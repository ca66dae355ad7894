"""What keeps a screen live: pieces of HTML, in an order that repeats and loses nothing."""

from __future__ import annotations

import gzip
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from redis import Redis

from scar.access import Actor
from scar.api.page import live, live_job, live_projects
from scar.api.page.asking_pace import AskingPace
from scar.api.page.parts import EXTENSION
from scar.api.page.young_answers import YoungAnswers
from scar.bootstrap import Services
from scar.jobs.bake import Bake, BakeBook, BakeFinding
from scar.jobs.record import Job
from scar.jobs.signing import Signatures
from tests.contract.page.conftest import Browser
from tests.support.acting_worker import ActingClaim, ActingWorker, status_of
from tests.support.job_documents import CONTAINER, DEPLOYED, PLANNED, STATUS

Open = Callable[..., Browser]
Event = tuple[str, str, str]
HOSTILE = "</pre><script>\revent: gone"


def events(answer: bytes) -> list[Event]:
    """Return the id, the name and the data of each event of a stream."""
    seen = []
    for block in answer.decode().split("\n\n"):
        fields: dict[str, list[str]] = {"id": [], "event": [], "data": []}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields.setdefault(name.rstrip(":"), []).append(value)
        if fields["event"]:
            id, name = "".join(fields["id"]), fields["event"][0]
            seen.append((id, name, "\n".join(fields["data"])))
    return seen


def lines(seen: list[Event]) -> list[str]:
    """Return the lines of output in a stream."""
    html = "".join(data for _, name, data in seen if name == "output")
    return re.findall(r"<span>(.*?)\n</span>", html, re.S)


def without_keys(html: str) -> str:
    """Return HTML without what is made anew each time: keys and tokens."""
    return re.sub(r'name="(key|csrf)" value="[^"]*"', "", html).strip()


def test_a_job_is_shown_to_its_end(browser: Open, job: Job, claim: ActingClaim) -> None:
    claim.lines("one", HOSTILE)
    claim.succeed(DEPLOYED)
    visitor = browser("viewer")
    seen = events(visitor.get(f"/jobs/{job.id}/live").data)
    assert lines(seen) == [
        "one",
        "&lt;/pre&gt;&lt;script&gt;\ufffdevent: gone",
    ]
    assert [name for _, name, _ in seen][-1] == "end"
    states = [data for _, name, data in seen if name == "state"]
    assert "Deployment complete!" in states[-1]
    assert without_keys(states[-1]) in without_keys(visitor.get(f"/jobs/{job.id}").text)


@pytest.mark.parametrize("how", ["header", "address"])
def test_a_reconnected_stream_continues_after_the_last_line_received(
    browser: Open, job: Job, claim: ActingClaim, how: str
) -> None:
    for number in range(3):
        claim.lines(f"line {number}")
    claim.succeed(DEPLOYED)
    visitor = browser("viewer")
    ids = {
        line: id
        for id, name, data in events(visitor.get(f"/jobs/{job.id}/live").data)
        for line in lines([(id, name, data)])
    }
    last = int(ids["line 2"])
    before = str(last - 3)  # what ended: a result and a state follow the third line
    seen = events(
        visitor.get(f"/jobs/{job.id}/live", headers={"Last-Event-ID": before}).data
        if how == "header"
        else visitor.get(f"/jobs/{job.id}/live?after={before}").data
    )
    assert lines(seen) == ["line 2"]
    ended = visitor.get(f"/jobs/{job.id}/live?after={last}")
    assert ended.status_code == 204


def test_a_stream_ends_when_its_visitor_is_signed_out_while_the_job_writes_output(
    browser: Open, job: Job, claim: ActingClaim, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_CHECK_SECONDS", 0.0)
    visitor = browser("viewer")
    answer = visitor.get(f"/jobs/{job.id}/live", buffered=False)
    stream: Iterator[bytes] = iter(answer.response)  # type: ignore[arg-type]
    claim.lines("before")
    seen = b""
    while b"before" not in seen:
        seen += next(stream)
    for key in redis.scan_iter("scar:page:session:*"):
        redis.delete(key)
    claim.lines("after")
    rest = b"".join(stream)
    answer.close()
    assert [name for _, name, _ in events(rest)] == ["gone"]
    assert b"after" not in rest


def until(stream: Iterator[bytes], words: str) -> bytes:
    """Read a stream until it says something."""
    seen = b""
    while words.encode() not in seen:
        seen += next(stream)
    return seen


def test_a_project_is_kept_live(browser: Open, services: Services, worker: ActingWorker) -> None:
    visitor = browser("operator")
    visitor.get("/projects/shop")
    for asked in list(services.ledger.recent()):
        worker.claim(asked.id).succeed(STATUS)
    answer = visitor.get("/projects/shop/live", buffered=False)
    stream: Iterator[bytes] = iter(answer.response)  # type: ignore[arg-type]
    seen = until(stream, "/docker_deploy shop")
    assert b"shop-web-1" in seen
    address = re.search(r'sse-connect="([^"]+)"', visitor.get("/projects/shop").text)
    assert address
    again = visitor.get(address[1], buffered=False)
    first = b"".join(itertools.islice(iter(again.response), 2))  # type: ignore[arg-type]
    again.close()
    assert b"event: beat" in first, "what is shown already is not sent again"
    changed = visitor.get(f"{address[1]}&after=1", buffered=False)
    first = b"".join(itertools.islice(iter(changed.response), 2))  # type: ignore[arg-type]
    changed.close()
    assert b"event: state" in first, "a screen that was changed since may show anything"
    project, other = services.projects.get("shop"), Actor("web", "admin", "admin")
    locks = services.command_context.locks
    locks.acquire("shop", other, "the database is being moved")
    assert b"/docker_deploy shop" not in until(stream, "/docker_unlock shop")
    locks.release("shop", other)
    until(stream, "/docker_deploy shop")
    command = services.job_service.commands["restart"]
    services.job_service.submit(other, command, project, {}, confirmed=True)
    until(stream, "restart shop")
    answer.close()


def test_what_is_seen_after_a_deploy_comes_to_its_screen(
    browser: Open,
    services: Services,
    job: Job,
    claim: ActingClaim,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_job, "_LOOK_SECONDS", 0.01)
    book = BakeBook(services.redis, Signatures.of(services.settings, "worker:default"))
    bake = Bake("shop", "default", job.id, "01JAAAAAAAAAAAAAAAAAAAAAAA", began=0, until=600_000)
    book.put(bake, now=0)
    claim.succeed(DEPLOYED)
    visitor = browser("viewer")
    assert f'sse-connect="/jobs/{job.id}/live' in visitor.get(f"/jobs/{job.id}").text
    last = services.job_service.get(job.id).last_event
    answer = visitor.get(f"/jobs/{job.id}/live?after={last}", buffered=False)
    stream: Iterator[bytes] = iter(answer.response)  # type: ignore[arg-type]
    until(stream, "Watched for")
    book.put(bake.with_finding(BakeFinding("web", "restarts", "restarted 3 times", True, 1)), now=0)
    until(stream, "restarted 3 times")
    book.put(replace(bake, ended=True), now=0)
    rest = b"".join(stream)
    answer.close()
    assert b"Nothing got worse" in rest
    assert [name for _, name, _ in events(rest)][-1] == "end"


def test_who_may_not_see_a_job_gets_no_stream(browser: Open, job: Job) -> None:
    assert browser().get(f"/jobs/{job.id}/live").status_code == 401
    assert browser("viewer").get("/jobs/01JAAAAAAAAAAAAAAAAAAAAAAA/live").status_code == 404
    assert browser().get("/live").status_code == 401


def test_a_question_appears_without_reloading_the_page(
    browser: Open, services: Services, worker: ActingWorker
) -> None:
    project = services.projects.get("shop")
    command = services.job_service.commands["deploy"]
    asker = Actor("web", "operator", "operator")
    asked = services.job_service.submit(asker, command, project, {})
    answer = browser("operator").get(f"/jobs/{asked.id}/live", buffered=False)
    stream: Iterator[bytes] = iter(answer.response)  # type: ignore[arg-type]
    worker.claim(asked.id).plan({**PLANNED, "hash": "a" * 64})
    seen = b""
    while b"Yes, deploy" not in seen:
        seen += next(stream)
    answer.close()
    assert "deploy shop asks for your yes" in [data for _, name, data in events(seen)]


def test_the_first_load_is_at_most_40_kb_and_compressed(browser: Open) -> None:
    visitor, zipped = browser("viewer"), {"Accept-Encoding": "gzip"}
    first = visitor.get("/", headers=zipped)
    html = gzip.decompress(first.data).decode()
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    sizes = [len(visitor.get(path, headers=zipped).data) for path in files]
    assert len(files) == 5
    assert len(first.data) + sum(sizes) <= 40_000


def test_only_projects_that_start_are_asked_often_and_for_a_minute(
    browser: Open,
    services: Services,
    worker: ActingWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(live_projects, "_DRAW_SECONDS_WHILE_IT_STARTS", 0.01)
    monkeypatch.setattr(live_projects, "AskingPace", lambda: AskingPace(lambda: now))
    visitor = browser("operator")
    extensions = visitor.client.application.extensions
    answers = YoungAnswers(lambda: now)
    extensions[EXTENSION] = replace(extensions[EXTENSION], answers=answers)
    starting = {**STATUS, "containers": [{**CONTAINER, "health": "starting"}]}
    states = {"shop": starting, "blog": status_of("blog")}

    def answer_all() -> list[str | None]:
        asked = [job for job in services.ledger.recent() if not job.state.ended]
        for job in asked:
            worker.claim(job.id).succeed(states[job.request.project or ""])
        return [job.request.project for job in asked]

    visitor.get("/")
    assert len(answer_all()) == 2
    answer = visitor.get("/live", buffered=False)
    stream: Iterator[bytes] = iter(answer.response)  # type: ignore[arg-type]
    until(stream, "Starts")
    now = 15.0
    while not (asked := answer_all()):
        next(stream)
    assert asked == ["shop"]
    answer.close()


def test_a_container_that_starts_for_ever_is_not_asked_often_for_ever() -> None:
    now = 0.0
    asking = AskingPace(lambda: now)
    quick = []
    for second in range(0, 600, 10):
        now = float(second)
        asking.note("shop", "starting" if second % 20 else "ill")
        quick.append(asking.is_quick("shop"))
    assert sum(quick) == 3
    assert not any(quick[8:])
    asking.note("shop", "well")
    now = 1000.0
    asking.note("shop", "starting")
    assert asking.is_quick("shop")
    assert asking.reuse_seconds("shop") < asking.reuse_seconds("blog")
