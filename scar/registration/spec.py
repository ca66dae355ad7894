"""The registration of a front-end: everything the rest of SCAR knows about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scar.access import UserDirectory
from scar.settings import FrontEndSettings, Settings


@dataclass(frozen=True)
class Finding:
    """The result of one check of `scar doctor`. `remedy` is empty if nothing is wrong."""

    subject: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class Readiness:
    """Whether `scar up` starts a front-end: yes if `about` is set.

    `about` says what the front-end does, for the line that announces its start. `problem` says why
    it cannot be started. With neither, the front-end is not configured and is skipped silently.
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

    `name` is part of every actor, of audit entries, and of the Redis keys of subscriptions. `serve`
    runs the front-end until it is stopped; `scar COMMAND` calls it, where `command` is by default
    the name, with `summary` as its help text. `settings` is the class of the front-end's own
    settings. `users` returns its people and their roles. `readiness` says whether `scar up` starts
    it, `check` yields findings for `scar doctor`.

    Every process of SCAR loads the registration. Modules that only `serve` and `check` use should
    therefore be imported inside these functions.
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
        """The name of the front-end's shell command."""
        return self.command or self.name
