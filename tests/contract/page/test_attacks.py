"""What an attacker tries on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from redis import Redis

from scar.access import Actor
from scar.api.page.sessions import Sessions
from scar.bootstrap import Services
from scar.jobs.grant import SESSION_SECONDS
from scar.jobs.record import Job
from tests.contract.page.conftest import HOST, TOKENS, Browser
from tests.support.acting_worker import ActingClaim, ActingWorker
from tests.support.job_documents import CONTAINER, DEPLOYED, FILES, PLANNED, RELEASE, STATUS, USAGE
from tests.support.keys import signatures_of

Open = Callable[..., Browser]
EVIL = """<script src=//evil.example></script>"'><img src=x onerror=alert(1)>{{7*7}}\u202e"""
ELSEWHERE = "https://evil.example"
PATHS = ("/", "/jobs", "/sessions", "/audit", "/hosts", "/projects-file", "/sign-in")


class Markup(HTMLParser):
    """Collects the parts of a page that a browser would execute, or load from another site."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "base", "style", "img", "svg"):
            self.bad.append(tag)
        if tag == "script" and not values.get("src", "").startswith("/static/"):
            self.bad.append(f"{tag} {values}")
        for name, value in values.items():
            runs = name.startswith("on") or name in ("style", "srcdoc", "hx-on")
            leads_away = name in ("href", "src", "action") and not value.startswith(("/", "#"))
            if runs or (leads_away and not value.startswith("data:,")):
                self.bad.append(f"{name}={value}")


def harmless(text: str) -> bool:
    visible = re.sub(r'name="text" value="[^"]*"', "", text)
    in_order = "evil.example></script>" not in text and "\u202e" not in visible
    return in_order and not Markup(text).bad


def shows_evil(visitor: Browser, path: str) -> bool:
    """Return whether a screen shows the text, and as text alone."""
    text = visitor.get(path).text
    return harmless(text) and "&lt;script src=//evil.example&gt;" in text


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({}, {}),
        ({"csrf": "made up"}, {}),
        ({"csrf": "of another session"}, {}),
        ({"csrf": "right"}, {"Origin": ELSEWHERE}),
        ({"csrf": "right"}, {"Origin": "null"}),
        ({"csrf": "right"}, {"Origin": "http://localhost:9999"}),
        ({"csrf": "right"}, {"Sec_Fetch_Site": "cross-site"}),
        ({"csrf": "right"}, {"Sec_Fetch_Site": "same-site"}),
    ],
)
def test_a_form_sent_from_another_site_is_refused(
    browser: Open, services: Services, data: dict[str, str], headers: dict[str, str]
) -> None:
    victim, other = browser("admin"), browser("admin")
    csrf = {"right": victim.csrf(), "of another session": other.csrf()}
    sent = {name: csrf.get(value, value) for name, value in data.items()}
    for path, more in (
        ("/commands", {"text": "/docker_restart shop"}),
        ("/locks/shop", {"reason": "mine"}),
        ("/sign-out", {}),
        ("/sessions/end-others", {}),
    ):
        assert victim.post(path, {**sent, **more}, **headers).status_code == 403
    assert not list(services.ledger.recent(changes=True))
    assert services.command_context.locks.of("shop") is None
    assert victim.get("/").status_code == other.get("/").status_code == 200


def test_another_site_cannot_sign_a_visitor_in(browser: Open, link: Callable[[str], str]) -> None:
    """Otherwise an attacker could make a victim work in the attacker's session."""
    for form in ({"token": TOKENS["viewer"]}, {"link": link("1")}):
        answer = browser().post("/sign-in", form, Origin=ELSEWHERE, Sec_Fetch_Site="cross-site")
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


def test_a_link_to_the_page_does_nothing(browser: Open, services: Services) -> None:
    victim = browser("admin")
    for path in ("/commands?text=/docker_restart%20shop", "/locks/shop?reason=x", "/sign-out"):
        assert victim.get(path).status_code == 405
    assert not list(services.ledger.recent())


def test_names_of_containers_commits_and_people_are_shown_as_plain_text(
    browser: Open, worker: ActingWorker, services: Services
) -> None:
    admin = browser("admin")
    admin.send("/locks/blog", reason=EVIL)
    paths = [f"/projects/shop{part}" for part in ("", "/logs", "/diff", "/releases", "/stats")]
    for path in paths:
        admin.get(path)
    results: dict[str, dict[str, Any]] = {
        "status": {
            **STATUS,
            "containers": [{**CONTAINER, "name": EVIL, "image": EVIL, "health": "healthy"}],
            "notices": [EVIL],
            "production": EVIL,
        },
        "logs": {"container": EVIL, "count": 1, "lines": [EVIL], "notices": [EVIL]},
        "diff": {**PLANNED, "files": {**FILES, "added": [EVIL]}, "lines": EVIL},
        "history": {"project": "shop", "releases": [{**RELEASE, "subject": EVIL, "by": EVIL}]},
        "stats": {"project": "shop", "containers": [{**USAGE, "name": EVIL}]},
    }
    for job in list(services.ledger.recent()):
        worker.claim(job.id).succeed(results[job.request.kind])
        paths.append(f"/jobs/{job.id}")
    assert [path for path in paths if not shows_evil(admin, path)] == []
    failed = admin.say("/docker_deploy shop").location or ""
    claim = worker.claim(failed.removeprefix("/jobs/"))
    claim.plan({**PLANNED, "drift": [EVIL], "hash": "a" * 64})
    admin.send(f"{failed}/answer", answer="yes", shown="a" * 64)
    claim = worker.claim(failed.removeprefix("/jobs/"))
    claim.lines(EVIL)
    claim.fail("build_failed", EVIL, EVIL)
    assert shows_evil(admin, failed)
    assert shows_evil(admin, "/projects/blog")
    for path in (*PATHS, f"/projects/shop/logs?search={EVIL}"):
        assert harmless(admin.get(path).text), path
    assert harmless(admin.say(EVIL).text)
    assert harmless(admin.get(f"/projects/{EVIL}").text)
    assert harmless(admin.get(f"/jobs/{EVIL}").text)


def test_no_other_site_can_frame_the_page_or_run_a_script_in_it(browser: Open) -> None:
    stranger, admin = browser(), browser("admin")
    answers = [visitor.get(path) for visitor in (stranger, admin) for path in PATHS]
    answers += [admin.get("/projects/none"), admin.post("/commands", {}), stranger.get("/jobs/x")]
    for answer in answers:
        policy = dict(
            rule.strip().split(" ", 1)
            for rule in answer.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert "unsafe" not in str(policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert harmless(answer.text)


def test_no_screen_contains_a_secret_that_would_sign_another_browser_in(
    browser: Open, redis: Redis, worker: ActingWorker, services: Services
) -> None:
    """A script in a log line could read neither the cookie nor the page for it."""
    admin = browser("admin")
    cookie = admin.client.get_cookie("scar")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Strict"
    id = cookie.value.partition(".")[0]
    admin.get("/projects/shop/logs")
    for job in list(services.ledger.recent()):
        if job.request.kind == "logs":
            log = {"container": "web", "count": 1, "lines": ["x"], "notices": []}
            worker.claim(job.id).succeed(log)
    for path in (*PATHS, "/projects/shop/logs"):
        assert id not in admin.get(path).text
    kept = [value for key in redis.scan_iter("scar:page:session:*") if (value := redis.get(key))]
    assert kept
    assert not [value for value in kept if id in str(value) or TOKENS["admin"] in str(value)]


def test_a_forged_session_on_redis_or_in_a_cookie_is_refused(browser: Open, redis: Redis) -> None:
    victim, thief = browser("admin"), browser("viewer")
    keys = sorted(redis.scan_iter("scar:page:session:*"))
    values = [str(redis.get(key)) for key in keys]
    for key, value in zip(keys, reversed(values), strict=True):
        redis.set(key, value)
    assert victim.get("/").status_code == thief.get("/").status_code == 401
    forged = json.loads(values[0].partition(" ")[2])
    for part in ("api", "telegram"):
        made_up = signatures_of(part, "a key of somebody else").seal("session", forged)
        redis.set(keys[0], made_up)
        assert victim.get("/").status_code == thief.get("/").status_code == 401
    for value in ("", "x", "x.y", values[0]):
        thief.client.set_cookie("scar", value)
        assert thief.get("/").status_code == 401


def test_a_session_expires_after_twelve_hours(services: Services, redis: Redis) -> None:
    now = [1_800_000_000.0]
    settings, signatures = services.settings, services.signatures
    sessions = Sessions(redis, signatures, settings, clock=lambda: now[0])
    admin = Actor("web", "admin", "admin")
    cookie = sessions.begin(admin, "a phone", secret=TOKENS["admin"])
    for key in list(redis.scan_iter("scar:page:*")):
        redis.persist(key)  # Redis forgets it by its own clock
    now[0] += SESSION_SECONDS - 1
    assert sessions.of_cookie(cookie)
    now[0] += 2
    assert sessions.of_cookie(cookie) is None


def test_a_session_ends_when_its_api_token_is_removed(services: Services, redis: Redis) -> None:
    signatures, settings = services.signatures, services.settings
    admin = Actor("web", "admin", "admin")
    old = Sessions(redis, signatures, settings).begin(admin, "", secret="one that was replaced")
    assert Sessions(redis, signatures, settings).of_cookie(old) is None


def test_the_session_cookie_is_secure_except_on_localhost(browser: Open) -> None:
    outside = {"base_url": "http://scar.example.org", "data": {"token": TOKENS["viewer"]}}
    over_tls = browser().client.post(
        "/sign-in", headers={"Origin": "https://scar.example.org"}, **outside
    )
    cookie = over_tls.headers["Set-Cookie"]
    assert cookie.startswith("__Host-scar=")
    assert "Secure" in cookie
    plain = browser().client.post(
        "/sign-in", headers={"Origin": "http://scar.example.org"}, **outside
    )
    assert plain.status_code == 403
    assert "TLS" in plain.text
    assert "Set-Cookie" not in plain.headers


def test_signing_in_never_redirects_to_another_site(browser: Open) -> None:
    for path in ("//evil.example", "https://evil.example", "/\\evil.example", "\t//evil.example"):
        answer = browser().post("/sign-in", {"token": TOKENS["viewer"], "going_to": path})
        assert answer.location == "/"
    deep = browser().post("/sign-in", {"token": TOKENS["viewer"], "going_to": "/jobs?before=1"})
    assert deep.location == "/jobs?before=1"


def test_guessing_tokens_is_rate_limited(browser: Open) -> None:
    guesser = browser()
    codes = {guesser.post("/sign-in", {"token": f"guess {n}"}).status_code for n in range(30)}
    assert codes == {401, 429}
    assert guesser.sign_in("viewer").status_code == 303, "a right one counts all the same"


def test_a_link_on_another_site_opens_the_screen_for_a_signed_in_visitor(browser: Open) -> None:
    """Browsers do not send the cookie with such a visit, so the page reloads itself once."""
    stranger = browser()
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    answer = stranger.get("/jobs?before=%22%3E%3Cimg", headers=elsewhere)
    assert answer.status_code == 200
    assert "url=/jobs?before=" in answer.text
    assert harmless(answer.text)
    assert HOST not in answer.text


def test_the_length_of_an_answer_says_nothing_of_what_it_hides(
    browser: Open, job: Job, claim: ActingClaim
) -> None:
    """BREACH: what is compressed repeats nothing that somebody else has chosen."""
    admin, zipped = browser("admin"), {"Accept-Encoding": "gzip"}
    tokens = {
        re.findall(r'name="csrf" value="([^"]+)"', admin.get("/sessions").text)[0] for _ in "ab"
    }
    assert len(tokens) == 2, "masked anew each time"
    repeating = ("/projects/shop/logs?search=guess", "/projects/guess", "/sign-in?going_to=/guess")
    assert "Content-Encoding" in admin.get("/projects/shop/logs", headers=zipped).headers
    for path in repeating:
        assert "Content-Encoding" not in admin.get(path, headers=zipped).headers
    refused = admin.client.post("/commands", data={"text": "guess"}, headers=zipped)
    assert "Content-Encoding" not in refused.headers
    claim.succeed(DEPLOYED)
    assert "Content-Encoding" not in admin.get(f"/jobs/{job.id}/live", headers=zipped).headers
