"""Questions in a terminal, which has no buttons."""

from __future__ import annotations

import asyncio
import io
import os
import re

import pytest

from scar.chat.front_end import Place
from scar.document import Button, Document, Line
from scar.frontends.console.chat import ConsoleChat
from scar.frontends.console.input_lines import InputLines
from scar.frontends.console.screen import Screen
from tests.support.waiting import PATIENCE

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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        """What has been printed since the last call, without what moves the cursor."""
        said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        self.seek(0)
        self.truncate()
        return said


def test_a_terminal_shows_the_newest_lines_and_all_of_a_long_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("TERM", "xterm"), ("COLUMNS", "40"), ("LINES", "8")):
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    with (screen := Screen(terminal)):
        words = [f"line {number}" for number in range(30)]
        screen.show("1", Document.of(*words, "a" * 50, "the end"))
        live = terminal.shown()
    at_the_end = terminal.shown()
    assert "line 29" in live
    assert "line 24" not in live
    assert "a" * 40 + "\n" + "a" * 10 in live
    assert "the end" in live
    assert all(word in at_the_end for word in ("line 0\n", "line 29", "a" * 10 + "\n", "the end"))


def test_a_line_typed_during_a_job_is_the_next_command() -> None:
    read, write = os.pipe()

    async def type_one() -> list[str | None]:
        lines = InputLines("", read)
        wait = asyncio.create_task(lines.typed())
        os.write(write, b"/docker_unfollow\n")
        await asyncio.wait_for(wait, PATIENCE)
        os.close(write)
        return [await lines.next(), await lines.next()]

    assert asyncio.run(type_one()) == ["/docker_unfollow", None]
    os.close(read)
