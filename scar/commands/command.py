"""The base class of every command: its word, its role, and its line in `/help`.

A command is a `JobCommand`, a `LocalCommand`, a `WindowCommand` or a `RepeatCommand`. None of them
depends on the front-end in which it is typed.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

from scar.access import Role
from scar.errors import ScarError


class Command(ABC):
    """A word that a person types after a slash. `usage` describes its arguments.

    `noun` names it in a refusal, such as `a restart`. `examples` are example arguments. `rank`
    orders `/help` among the commands of the same role. With `takes_text`, everything after the
    command's word is passed as one word, with line breaks.
    """

    word: ClassVar[str]
    usage: ClassVar[str] = ""
    summary: ClassVar[str]
    role: ClassVar[Role] = Role.VIEWER
    rank: ClassVar[int] = 50
    takes_text: ClassVar[bool] = False
    noun: ClassVar[str] = "this"
    examples: ClassVar[tuple[str, ...]] = ("",)

    @property
    def spelled(self) -> str:
        """The command as it is typed, with its arguments."""
        return f"/{self.word} {self.usage}".strip()

    def misuse(self, what: str) -> ScarError:
        """Return the error for invalid arguments; `what` says what is wrong with them."""
        return ScarError("invalid_request", what, f"Usage: {self.spelled}")


class WhichProject(ScarError):
    """Raised if a command could be for several projects.

    `choices` has the full command for each; `short` the same without the text that the person has
    typed, since a message with eight long instructions would exceed a comment's limit.
    """

    def __init__(self, choices: Mapping[str, str], short: Mapping[str, str]) -> None:
        super().__init__("invalid_request", "Which project?", f"Name one of: {', '.join(choices)}.")
        self.choices = choices
        self.short = short
