"""The state that all requests to the page share in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from scar.api.page.changes import ChangeCounter
from scar.api.page.drawn_states import DrawnStates
from scar.api.page.sessions import Sessions
from scar.api.page.used_once import UsedOnce
from scar.api.page.young_answers import YoungAnswers

EXTENSION = "scar-page"


@dataclass(frozen=True)
class PageParts:
    """The sessions, what workers have answered a moment ago, what says that jobs changed, which
    Mini App's data was used, and how jobs were drawn.
    """

    sessions: Sessions
    answers: YoungAnswers
    changes: ChangeCounter
    used: UsedOnce = field(default_factory=UsedOnce)
    drawn: DrawnStates = field(default_factory=DrawnStates)


def parts() -> PageParts:
    """Return the parts of the application that handles the current request."""
    return cast(PageParts, current_app.extensions[EXTENSION])
