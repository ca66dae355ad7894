"""What a terminal makes of buttons: there is nothing to tap."""

from __future__ import annotations

import asyncio
import io

import pytest

from scar.chat.front_end import Place
from scar.document import Button, Document, Line
from scar.frontends.console.chat import ConsoleChat
from scar.frontends.console.screen import Screen

OFFER = Button("🚀 Deploy", "deploy", "/docker_deploy shop")
YES = Button("Yes", "yes")


@pytest.mark.parametrize(("button", "waits"), [(OFFER, False), (YES, True)])
def test_the_console_prompts_for_an_answer_only_if_a_question_is_open(
    button: Button, waits: bool
) -> None:
    said = io.StringIO()
    chat = ConsoleChat(Screen(said))
    document = chat.fit(Document((Line("done"),), (button,)))
    asyncio.run(chat.send(Place("ada"), document, ""))
    assert chat.asking.is_set() is waits
    assert ("🚀 Deploy: /docker_deploy shop" in said.getvalue()) is not waits
