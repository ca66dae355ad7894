"""The page as a Telegram Mini App, whose visitor is the person that Telegram has signed."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from redis import Redis
from werkzeug.test import TestResponse

from scar.access import Actor
from scar.bootstrap import Services, bootstrap
from scar.jobs.grant import SESSION_SECONDS, grants
from scar.jobs.mini_app import MiniAppProofs
from scar.jobs.signing import WAKEUP
from scar.keys.key_pair import KeyPair, PublicKey
from scar.settings import Settings
from tests.contract.page.conftest import Browser
from tests.support.acting_worker import ActingWorker
from workers.runner import Runner

BOT = "7342037359"
TELEGRAM = KeyPair.generate("telegram")


def init_data(
    id: int = 1, *, bot: str = BOT, key: KeyPair = TELEGRAM, at: float | None = None
) -> str:
    """What Telegram gives to a Mini App."""
    fields = {
        "auth_date": str(int(time.time() if at is None else at)),
        "query_id": "AAHdF6IQAAAAAN0XohDhrOrc",
        "user": json.dumps({"id": id, "first_name": "Olga", "last_name": "Ö & P"}),
    }
    text = "\n".join([f"{bot}:WebAppData", *(f"{k}={fields[k]}" for k in sorted(fields))])
    signature = base64.urlsafe_b64encode(key.sign(text.encode())).decode().rstrip("=")
    return urlencode({**fields, "hash": "0" * 64, "signature": signature})


@pytest.fixture
def settings(settings: Settings) -> Settings:
    raw = TELEGRAM.public.raw.hex()
    return replace(settings, telegram_bot_id=BOT, telegram_public_key=raw)


def test_a_person_who_opens_the_mini_app_is_signed_in_with_their_own_role(
    browser: Callable[..., Browser],
    worker: ActingWorker,
    services: Services,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visitor = browser()
    start = visitor.get("/mini-app").text
    assert 'name="init_data"' in start
    assert "<button>Sign in</button>" in start, "nobody is signed in who has not seen as whom"
    assert 'name="init_data"' not in visitor.get("/").text
    assert visitor.post("/mini-app", {"init_data": init_data()}).location == "/"
    assert "Olga Ö &amp; P" in visitor.get("/").text
    id = (visitor.say("/docker_restart shop").location or "").removeprefix("/jobs/")
    worker.plan(id, "a" * 64)
    visitor.send(f"/jobs/{id}/answer", answer="yes", shown="a" * 64)
    job = bootstrap(services.settings, "telegram").job_service.get(id)
    assert job.request.requested_by.key == "telegram:1"
    monkeypatch.setattr("workers.runner.connect", lambda *_: redis)
    runner = Runner.of(services.settings)
    runner.run(id, services.signatures.sign(WAKEUP, f"default/{id}"))
    assert runner.job_log.begun(id), "a worker takes Telegram's word"


def test_a_mini_app_link_with_another_persons_data_does_not_replace_a_session(
    browser: Callable[..., Browser],
) -> None:
    visitor, now = browser(), time.time()
    assert visitor.post("/mini-app", {"init_data": init_data(at=now)}).location == "/"
    answer = visitor.post("/mini-app", {"init_data": init_data(2, at=now)})
    assert answer.status_code == 403
    assert "Sign out first" in answer.text
    assert "telegram:1" in visitor.get("/sessions").text
    again = init_data(at=now - 20)
    assert visitor.post("/mini-app", {"init_data": again}).location == "/"


def test_mini_app_data_can_be_used_only_once(browser: Callable[..., Browser], redis: Redis) -> None:
    data = init_data()
    assert browser().post("/mini-app", {"init_data": data}).status_code == 303
    again = [data, f"{data}%3D%3D", data.replace("signature=", "signature=%0A")]
    for key in list(redis.scan_iter("scar:page:mini-app:*")):
        redis.delete(key)
    for copy in again:
        answer = browser().post("/mini-app", {"init_data": copy})
        assert answer.status_code == 401
        assert 'name="init_data"' in answer.text


@pytest.mark.parametrize(
    "data",
    [
        init_data(bot="1"),
        init_data(key=KeyPair.generate("telegram")),
        init_data(at=time.time() - 7200),
        init_data(at=time.time() + 7200),
        init_data().replace("Olga", "Eve"),
        init_data().replace("signature=", "signature=x"),
        f"{init_data()}&user=%7B%22id%22%3A9%7D",
        init_data().partition("&signature")[0],
        "user=1",
        "%",
        "x" * 5000,
    ],
)
def test_mini_app_data_without_telegrams_signature_signs_nobody_in(
    browser: Callable[..., Browser], data: str
) -> None:
    answer = browser().post("/mini-app", {"init_data": data})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_a_stranger_of_telegram_sees_nothing(browser: Callable[..., Browser]) -> None:
    stranger = browser()
    assert stranger.post("/mini-app", {"init_data": init_data(5)}).status_code == 303
    answer = stranger.get("/")
    assert answer.status_code == 401
    assert "Your id is telegram:5" in answer.text
    assert "shop" not in answer.text


def test_a_session_of_a_mini_app_ends_twelve_hours_after_it_was_opened(
    services: Services,
    worker: ActingWorker,  # noqa: ARG001
) -> None:
    at = time.time()
    voucher = {"mini_app": init_data(at=at)}
    olga = Actor("telegram", "1", "")
    for seconds, counts in ((0, True), (SESSION_SECONDS, True), (SESSION_SECONDS + 120, False)):
        assert grants(services.signatures, voucher, olga, int((at + seconds) * 1000)) == counts
    assert not grants(services.signatures, voucher, Actor("telegram", "9", ""), int(at * 1000))


def test_telegrams_own_example_is_verified() -> None:
    """The data that the packages of Telegram Mini Apps use in their documentation."""
    data = (
        "user=%7B%22id%22%3A279058397%2C%22first_name%22%3A%22Vladislav%20%2B%20-%20%3F%20%5C%2F"
        "%22%2C%22last_name%22%3A%22Kibenko%22%2C%22username%22%3A%22vdkfrost%22%2C"
        "%22language_code%22%3A%22ru%22%2C%22is_premium%22%3Atrue%2C%22allows_write_to_pm%22%3A"
        "true%2C%22photo_url%22%3A%22https%3A%5C%2F%5C%2Ft.me%5C%2Fi%5C%2Fuserpic%5C%2F320%5C%2F"
        "4FPEE4tmP3ATHa57u6MqTDih13LTOiMoKoLDRG4PnSA.svg%22%7D&chat_instance=8134722200314281151"
        "&chat_type=private&auth_date=1733509682&signature=TYJxVcisqbWjtodPepiJ6ghziUL94-KNpG8Pau-"
        "X7oNNLNBM72APCpi_RKiUlBvcqo5L-LAxIc3dnTzcZX_PDg"
        "&hash=a433d8f9847bd6addcc563bff7cc82c89e97ea0d90c11fe5729cae6796a36d73"
    )
    raw = "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d"
    key = PublicKey("telegram", bytes.fromhex(raw))
    user = MiniAppProofs(BOT, key).user(data)
    assert user is not None
    assert user.actor.key == "telegram:279058397"
    assert MiniAppProofs("1", key).user(data) is None


def test_telegram_web_frames_its_own_session_and_nothing_else_is_framed(
    browser: Callable[..., Browser],
) -> None:
    def may_frame(answer: TestResponse) -> str:
        policy: str = answer.headers["Content-Security-Policy"]
        return policy.partition("frame-ancestors ")[2]

    framed, ordinary = browser(), browser()
    telegram = "https://web.telegram.org"
    assert may_frame(framed.get("/mini-app")) == telegram
    assert may_frame(framed.get("/")) == may_frame(framed.get("/sign-in")) == "'none'"
    cookies = []
    for visitor, where, age in ((framed, "iframe", 0), (ordinary, "document", 9)):
        data = init_data(at=time.time() - age)
        answer = visitor.post("/mini-app", {"init_data": data}, Sec_Fetch_Dest=where)
        assert answer.location == "/"
        cookies.append(answer.headers["Set-Cookie"])
    of_frame, of_page = cookies
    assert of_frame.startswith("__Host-scar-framed=")
    assert all(word in of_frame for word in ("Secure", "HttpOnly", "SameSite=None", "Partitioned"))
    assert "SameSite=Strict" in of_page
    name, _, value = of_frame.partition(";")[0].partition("=")
    framed.client.set_cookie(name, value)
    assert "Olga" in framed.get("/").text
    assert may_frame(framed.get("/jobs")) == telegram
    assert may_frame(ordinary.get("/jobs")) == "'none'"
    refused = framed.post("/commands", {"text": "/docker_restart shop"}, Sec_Fetch_Dest="iframe")
    assert refused.status_code == 403, "the cookie alone makes nobody act"
    out = framed.send("/sign-out")
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert out.location == "/mini-app", "the sign-in form may not be framed"
    framed.client.set_cookie(name, value)
    for ended in (framed.get("/jobs"), browser().get("/", headers={"Sec-Fetch-Dest": "iframe"})):
        assert ended.status_code == 401
        assert may_frame(ended) == telegram
        assert "open it again" in ended.text
    assert ordinary.send("/sign-out").location == "/sign-in"
