"""The server refuses what the Bot API refuses, in its words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.botapi.entities import read_html, units
from tests.support.botapi.person import Telegram
from tests.support.botapi.rules import ApiError
from tests.support.botapi.server import BotApiServer


def _call(server: BotApiServer, method: str, **params: Any) -> tuple[int, str]:
    answer = httpx.post(
        f"{server.url}/bot{server.token}/{method}",
        content=json.dumps(params),  # ASCII only, so that half a surrogate pair can be sent
        headers={"Content-Type": "application/json"},
        verify=False,
    )
    return answer.status_code, answer.json().get("description", "")


def _markup(**button: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "Yes", **button}]]}


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"text": "x", "colour": "red"}, 'unknown field "colour" of sendMessage'),
        ({"text": "x", "parse_mode": "MarkdownV2"}, "only HTML is served here"),
        ({"text": "x", "parse_mode": "Markdown"}, "only HTML is served here"),
        ({"text": ""}, "message text is empty"),
        ({}, "message text is empty"),
        ({"text": "x", "reply_markup": _markup(callback_data="")}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "reply_markup": _markup(callback_data="ü" * 33)}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "reply_markup": _markup()}, "Text buttons are unallowed"),
        ({"text": "x", "reply_markup": _markup(callback_data="y", colour="red")}, '"colour"'),
        ({"text": "x", "reply_markup": _markup(callback_data="y", style="red")}, "button style"),
        ({"text": "x", "reply_markup": _markup(copy_text={"text": ""})}, "COPY_TEXT_INVALID"),
        ({"text": "x", "reply_markup": _markup(copy_text={"txt": "y"})}, '"txt"'),
        ({"text": "x", "reply_markup": {"keyboard": []}}, 'unknown field "keyboard"'),
        ({"text": "x", "reply_parameters": {"id": 1}}, 'unknown field "id"'),
        ({"text": "x", "link_preview_options": {"off": True}}, 'unknown field "off"'),
        ({"text": "x", "disable_notification": "maybe"}, "must be of type bool"),
        ({"text": "\ud83d"}, "strings must be encoded in UTF-8"),
        ({"text": 5}, "must be of type str"),
    ],
)
def test_an_invalid_message_is_refused_with_telegrams_error(
    server: BotApiServer, params: dict[str, Any], reason: str
) -> None:
    chat = server.private_chat(7, "Ann")
    status, description = _call(server, "sendMessage", chat_id=7, **params)
    assert status == 400
    assert description.startswith("Bad Request: ")
    assert reason in description
    assert chat.messages == []


def test_button_data_of_64_bytes_is_accepted(server: BotApiServer) -> None:
    server.private_chat(7, "Ann")
    markup = json.dumps(_markup(callback_data="ü" * 32))
    assert _call(server, "sendMessage", chat_id="7", text="x", reply_markup=markup)[0] == 200


def test_token_and_method_must_be_known(server: BotApiServer) -> None:
    assert httpx.post(f"{server.url}/bot123:NO/getMe").status_code == 401
    assert _call(server, "sendTelepathy") == (404, "Not Found: method not found")
    assert httpx.get(f"{server.url}/bot{server.token}/getMe").json()["result"]["is_bot"]
    assert _call(server, "getMe", extra=1)[0] == 400
    assert _call(server, "answerCallbackQuery", callback_query_id="1")[1].endswith("ID is invalid")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("ü<x>y</x>", 'Unsupported start tag "x" at byte offset 2'),
        ("<b>y", 'Can\'t find end tag corresponding to start tag "b"'),
        ("y</b>", "Unexpected end tag at byte offset 1"),
        ("<b><i>y</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler"'),
    ],
)
def test_invalid_html_is_refused_with_telegrams_error(source: str, reason: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_html(source)
    assert refused.value.description.startswith("Bad Request: can't parse entities: ")
    assert reason in refused.value.description


def test_valid_html_is_accepted() -> None:
    source = (
        '<a href="https://x.y/?a=1&amp;b=2">link</a> &nbsp; &#60; <pre><code class="language-py">'
        "x</code></pre> <b><i></i></b> see /start and @someone <blockquote expandable>q"
        "</blockquote>"
    )
    text, entities = read_html(source)
    assert text == "link &nbsp; < x  see /start and @someone q"
    assert [entity["type"] for entity in entities] == [
        "text_link",
        "pre",
        "bot_command",
        "mention",
        "expandable_blockquote",
    ]
    assert entities[0]["url"] == "https://x.y/?a=1&b=2"
    assert units("a😀") == 3


def test_invalid_control_requests_to_the_emulator_are_refused(server: BotApiServer) -> None:
    chat = server.group("Team")
    for action, params in (
        ("fly", {}),
        ("says", {"loudly": True}),
        ("fault", {"kind": "meteor"}),
        ("tap", {"id": "1"}),
        ("topic", {"chat": chat.id, "name": "x"}),
    ):
        with pytest.raises(ValueError, match="Bad Request"):
            server.control(action, **params)


def test_the_emulator_can_run_in_another_process_and_be_controlled_from_here() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.support.botapi", "--token", "5:X", "--limits"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        people = Telegram(url)
        ann = people.private_chat(7, "Ann")
        try:
            send = f"{url}/bot5:X/sendMessage"
            with httpx.Client(verify=False) as http:
                for number in range(100):  # by the server's own clock: a slow machine needs more
                    data = {"chat_id": "7", "text": f"hello {number}"}
                    answer = http.post(send, data=data)
                    if answer.status_code == 429:
                        break
            assert number >= 3
            assert answer.json()["parameters"] == {"retry_after": 1}
            assert ann.wait_for_text("hello 2").id == 3
            people.close()
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(5) == 0


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ({"type": "chat"}, "an identifier is missing"),
        ({"type": "chat", "chat_id": 8}, "chat not found"),
        ({"type": "chat_member", "chat_id": 7, "user_id": 7}, "for groups"),
        ({"type": "somebody"}, "unsupported type"),
        ({"type": "default", "chat_id": 7}, 'unknown field "chat_id"'),
    ],
)
def test_a_command_menu_can_only_be_set_for_an_existing_chat(
    server: BotApiServer, scope: dict[str, Any], reason: str
) -> None:
    server.private_chat(7, "Ann")
    command = {"command": "help", "description": "Help"}
    status, description = _call(server, "setMyCommands", commands=[command], scope=scope)
    assert status == 400
    assert reason in description
