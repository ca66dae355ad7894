"""What the rest of SCAR knows of a front-end: its registration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scar.access import UserDirectory
from scar.settings import FrontEndSettings, Settings


@dataclass(frozen=True)
class Finding:
    """One thing that `scar doctor` looked at. `remedy` is empty where it is in order."""

    subject: str
    result: str
    remedy: str = ""


@dataclass(frozen=True)
class Readiness:
    """Whether `scar up` runs a front-end.

    `about` is what the front-end does, for the line that says it was started. Where it is not
    started, `problem` is why, or empty where it is simply not used.
    """

    about: str = ""
    problem: str = ""

    @property
    def ready(self) -> bool:
        """Whether it is started."""
        return bool(self.about)


def _not_a_service(settings: Settings) -> Readiness:  # noqa: ARG001
    return Readiness()


def _no_findings(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    yield from ()


@dataclass(frozen=True)
class FrontendSpec:
    """A front-end.

    `name` is in every actor, in the trail, and in the keys of subscriptions. `command` is its
    command of the shell (`scar COMMAND`), by default its name, with `summary` as its help; `serve`
    is what the command does until it is stopped. `settings` are the settings of its own. `users`
    returns its people. `readiness` says whether `scar up` runs it, `check` what `scar doctor` finds.

    `serve` and `check` should import what they need when they are called: the registration is
    read by every process of SCAR.
    """

    name: str
    summary: str
    serve: Callable[[Settings], None]
    users: Callable[[Settings], UserDirectory]
    settings: type[FrontEndSettings] = FrontEndSettings
    readiness: Callable[[Settings], Readiness] = _not_a_service
    check: Callable[[Settings], Iterator[Finding]] = _no_findings
    command: str = ""

    @property
    def shell_command(self) -> str:
        """The name of its command of the shell."""
        return self.command or self.name
