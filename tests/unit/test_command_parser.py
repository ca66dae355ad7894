"""From what somebody typed to what they meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from scar.access import Actor
from scar.commands import all_commands
from scar.commands.command_parser import Answer, CommandParser, ParsedCommand
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.errors import ScarError


class Instruct(LocalCommand):
    """Takes its text whole."""

    word = "agent"
    summary = "work"
    takes_text = True

    def reply(self, actor: Actor, words: Sequence[str], around: CommandContext) -> Document:  # noqa: ARG002
        return Document.of(*words)


@pytest.fixture
def language() -> CommandParser:
    others = [command for command in all_commands() if command.word != "agent"]
    return CommandParser((*others, Instruct()))


def said(language: CommandParser, text: str, bot: str | None = "my_bot") -> Any:
    meaning = language.parse(text, bot_name=bot)
    return (meaning.command.word, meaning.words) if isinstance(meaning, ParsedCommand) else meaning


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("/docker_status shop", ("docker_status", ("shop",))),
        ("/DOCKER_STATUS@My_Bot  shop\nand more", ("docker_status", ("shop",))),
        ("/docker_status\nshop", ("docker_status", ())),
        ("/docker_status@other_bot shop", None),
        ("@scar fix the  bug\nin two lines", ("agent", ("fix the  bug\nin two lines",))),
        ("@Scar, fix it", ("agent", ("fix it",))),
        ("@my_bot: fix it", ("agent", ("fix it",))),
        ("@scar", ("agent", ())),
        ("@scar /docker_logs 20", ("docker_logs", ("20",))),
        ("@scarface fix it", None),
        ("@other fix it", None),
        ("mail me@scar fix", None),
        ("/job_01ARZ3NDEKTSV4RRFFQ69G5FAV", ("job", ("01ARZ3NDEKTSV4RRFFQ69G5FAV",))),
        ("/job_01ARZ3NDEKTSV4RRFFQ69G5FAV@my_bot", ("job", ("01ARZ3NDEKTSV4RRFFQ69G5FAV",))),
        (" YES \n", Answer.YES),
        ("no", Answer.NO),
        ("yes please", None),
        ("", None),
    ],
)
def test_a_text_is_parsed_as_the_expected_command_or_answer(
    language: CommandParser, text: str, meant: object
) -> None:
    assert said(language, text) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("/status", "/docker_status"),
        ("/logs shop", "/docker_logs"),
        ("/Deploy", "/docker_deploy"),
        ("/stat", "/docker_stats"),
        ("/unfollow", "/docker_unfollow"),
        ("/projekts", "/projects"),
    ],
)
def test_a_command_typed_without_docker_in_front_is_suggested(
    language: CommandParser, word: str, meant: str
) -> None:
    with pytest.raises(ScarError) as caught:
        said(language, word)
    assert caught.value.hint.startswith(f"Did you mean '{meant}'?")


def test_an_unknown_command_is_answered_with_the_most_similar_one(language: CommandParser) -> None:
    with pytest.raises(ScarError, match="There is no command '/docker_statsu'") as caught:
        said(language, "/docker_statsu")
    assert "/docker_stat" in caught.value.hint


def test_a_link_into_the_chat_shows_its_job() -> None:
    parsed = CommandParser(all_commands()).parse("/start job_01JZ0000000000000000000000")
    assert isinstance(parsed, ParsedCommand)
    assert (parsed.command.word, parsed.words) == ("job", ("01JZ0000000000000000000000",))
