"""The registration of a front-end: all that the rest of SCAR knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scar.access import UserDirectory
from scar.settings import FrontEndSettings, Settings


@dataclass(frozen=True)
class Finding:
    """The result of a check of `scar doctor`. `remedy` is empty where all is in order."""

    subject: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class Readiness:
    """Whether `scar up` runs a front-end: it does where there is an `about`.

    `about` says what the front-end does, for the line with which it is started. `problem` says why
    it is not started; without one, it is not used and nothing is said.
    """

    about: str = ""
    problem: str = ""


def _not_run_by_up(settings: Settings) -> Readiness:  # noqa: ARG001
    return Readiness()


def _no_findings(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    yield from ()


@dataclass(frozen=True)
class FrontendSpec:
    """A front-end.

    `name` is part of every actor, of the trail, and of the keys of subscriptions. `serve` runs the
    front-end until it is stopped; `scar COMMAND` calls it, with `command` (by default the name) as
    its command and `summary` as its help. `settings` is the class of its own settings. `users`
    returns its people and their roles. `readiness` says whether `scar up` runs it, `check` yields
    what `scar doctor` finds.

    Every process of SCAR reads the registration. What `serve` and `check` need should therefore be
    imported when they are called.
    """

    name: str
    summary: str
    serve: Callable[[Settings], None]
    users: Callable[[Settings], UserDirectory]
    settings: type[FrontEndSettings] = FrontEndSettings
    readiness: Callable[[Settings], Readiness] = _not_run_by_up
    check: Callable[[Settings], Iterator[Finding]] = _no_findings
    command: str = ""

    @property
    def shell_command(self) -> str:
        """The name of its command of the shell."""
        return self.command or self.name
