"""The letter box as a package of its own would bring it: one file and one entry point.

A letter is a file `NAME.letter` in a folder: a person on its first line, what they say behind it.
A sheet is a file `NUMBER.sheet` beside it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scar.access import Actor, Role, UserDirectory
from scar.bootstrap import bootstrap
from scar.chat.conversation import Conversation
from scar.chat.front_end import IncomingMessage, Place
from scar.client import ApiClient
from scar.document import Document
from scar.frontends.signals import run_until_signal
from scar.registration.spec import Finding, FrontendSpec, Readiness
from scar.settings import FrontEndSettings, Settings, parsers
from scar.settings.setting import setting
from tests.support.letterbox import LetterBox

_NAME = re.compile(r"[a-z]{1,32}")


def _roles(text: str) -> dict[str, Role]:
    return parsers.users(text, _NAME, "NAME:ROLE, such as ada:admin")


@dataclass(frozen=True)
class LetterBoxSettings(FrontEndSettings):
    """The letter box is configured where it has a folder."""

    person_id = _NAME
    chat_id = _NAME

    folder: Path | None = setting(
        "SCAR_LETTERBOX_FOLDER", parsers.absolute_path, "the folder of letters and sheets"
    )
    users: Mapping[str, Role] = setting(
        "SCAR_LETTERBOX_USERS", _roles, "who may do what: `NAME:ROLE,...`", default=""
    )


class FolderBox(LetterBox):
    """A letter box whose sheets are files."""

    def __init__(self, folder: Path) -> None:
        super().__init__("letterbox")
        self._folder = folder

    async def edit(self, place: Place, reference: str, document: Document, tag: str) -> float:
        (self._folder / f"{reference}.sheet").write_text(document.text)
        return await super().edit(place, reference, document, tag)


def _serve(settings: Settings) -> None:
    settings.of(LetterBoxSettings).required("folder")
    run_until_signal(_run(settings))


async def _run(settings: Settings) -> None:
    folder = Path(settings.of(LetterBoxSettings).required("folder"))
    services = bootstrap(settings, "letterbox")
    client = ApiClient.for_service(settings.api_url, services.signatures)
    conversation = Conversation(FolderBox(folder), services, client)
    await conversation.run(_read_letters(folder, conversation))


async def _read_letters(folder: Path, conversation: Conversation) -> None:
    while True:
        for letter in sorted(folder.glob("*.letter")):
            name, _, text = letter.read_text().partition("\n")
            actor = Actor("letterbox", name, name.capitalize())
            await conversation.receive(IncomingMessage(actor, Place("box"), text, time.time()))
            letter.unlink()
        await asyncio.sleep(0.05)


def _readiness(settings: Settings) -> Readiness:
    folder = settings.of(LetterBoxSettings).folder
    return Readiness(f"letters in {folder}") if folder else Readiness()


def _check(settings: Settings) -> Iterator[Finding]:
    folder = settings.of(LetterBoxSettings).folder
    if folder is not None and not folder.is_dir():
        yield Finding("letterbox", f"{folder} is no folder", "Make it.")


FRONTEND = FrontendSpec(
    name="letterbox",
    summary="A letter box.",
    serve=_serve,
    users=lambda settings: UserDirectory(
        settings.of(LetterBoxSettings).users, setting="SCAR_LETTERBOX_USERS"
    ),
    settings=LetterBoxSettings,
    readiness=_readiness,
    check=_check,
)
