"""What all requests to the page share in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from scar.api.page.changes import ChangeCounter
from scar.api.page.sessions import Sessions
from scar.api.page.young_answers import YoungAnswers

EXTENSION = "scar-page"


@dataclass(frozen=True)
class PageParts:
    """The sessions, what workers have answered a moment ago, and what says that jobs changed."""

    sessions: Sessions
    answers: YoungAnswers
    changes: ChangeCounter


def parts() -> PageParts:
    """Return the parts of the application that handles the current request."""
    return cast(PageParts, current_app.extensions[EXTENSION])
