"""Signing in to the page, by a link and by a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.commands.page import COMMAND
from scar.errors import ScarError
from tests.contract.page.conftest import TOKENS, Browser

Open = Callable[..., Browser]
Link = Callable[[str], str]


def test_the_page_shows_the_sign_in_form_to_a_visitor_without_a_session(browser: Open) -> None:
    for path in ("/", "/sign-in"):
        answer = browser().get(path)
        assert answer.status_code == (401 if path == "/" else 200)
        assert 'name="token"' in answer.text
        assert "<title>Sign in - SCAR</title>" in answer.text
        assert "shop" not in answer.text


def test_a_wrong_token_keeps_the_form(browser: Open) -> None:
    visitor = browser()
    answer = visitor.post("/sign-in", {"token": "wrong"})
    assert answer.status_code == 401
    assert 'name="token"' in answer.text
    assert "This token is not known here" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_token_signs_in(browser: Open) -> None:
    visitor = browser()
    answer = visitor.post("/sign-in", {"token": TOKENS["viewer"]})
    assert (answer.status_code, answer.location) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
    page = visitor.get("/").text
    assert "shop" in page
    assert TOKENS["viewer"] not in page


def test_a_sign_in_link_works_once_and_opening_it_does_not_use_it_up(
    browser: Open, link: Link
) -> None:
    code, preview, thief = link("1"), browser(), browser()
    for _ in range(2):
        assert "Person 1" in preview.get(f"/sign-in?link={code}").text
    assert preview.get("/").status_code == 401
    assert preview.post("/sign-in", {"link": code}).status_code == 303
    assert "Person 1" in preview.get("/").text
    replayed = thief.post("/sign-in", {"link": code})
    assert replayed.status_code == 401
    assert "counts no more" in replayed.text
    assert thief.get("/").status_code == 401
    assert thief.get(f"/sign-in?link={code}").status_code == 401


def test_a_forged_or_moved_sign_in_link_on_redis_signs_nobody_in(
    browser: Open, link: Link, redis: Redis
) -> None:
    mine, other = link("1"), link("9")
    keys = sorted(redis.scan_iter("scar:page:link:*"))
    values = cast("list[str]", [redis.get(key) for key in keys])
    for key, value in zip(keys, reversed(values), strict=True):
        redis.set(key, value)
    for code in (mine, other):
        assert browser().post("/sign-in", {"link": code}).status_code == 401


def test_the_page_command_gives_its_link_only_in_a_private_chat(
    bot: Services, browser: Open
) -> None:
    person = Actor("telegram", "1", "Person 1")
    with pytest.raises(ScarError, match="whoever opens it"):
        COMMAND.reply(person, (), bot.command_context)
    private = replace(bot.command_context, private=True)
    text = COMMAND.reply(person, (), private).text
    address = text.partition("http://localhost")[2].partition("\n")[0]
    assert "Person 1" in browser().get(address).text
    with pytest.raises(ScarError, match="not known here"):
        COMMAND.reply(Actor("telegram", "5", "Eve"), (), private)
