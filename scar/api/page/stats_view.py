"""The screen of a project's figures: what its containers use, now and over a time."""

from __future__ import annotations

import re
from dataclasses import asdict

from flask import request
from flask.typing import ResponseReturnValue

from scar.api.auth import visible_project
from scar.api.context import context
from scar.api.page.project_views import parts_of
from scar.api.page.reads import Question, ask
from scar.api.page.rendering import page
from scar.api.page.views import changed_at, latest_change, result_of
from scar.commands.usage_picture import usage_picture
from scar.jobs.results.json_record import present
from scar.jobs.results.stats import StatsResult, UsageHistory
from scar.jobs.time_span import TIME_SPAN
from scar.json_object import JsonObject

_SPANS = ("30m", "6h", "24h")
_USUAL = "6h"


def stats(name: str) -> ResponseReturnValue:
    """What the containers of a project use. The plots are drawn in the browser; without JavaScript
    there is the text.
    """
    known = visible_project(name)
    since = request.args.get("since", "")
    since = since if re.fullmatch(TIME_SPAN, since) else _USUAL
    command = context().services.job_service.commands["stats"]
    changed = changed_at(latest_change(name))
    job, problem = result_of(ask([Question("stats", known, {"since": since}, changed)])[0])
    history = present(job.read_result(StatsResult).history) if job else None
    return page(
        "stats.html",
        project=known,
        since=since,
        spans=_SPANS,
        document=command.view(job) if job else None,
        plots=_plots(name, history) if history and history.containers else None,
        marks=history.marks if history else (),
        problem=problem,
        pending=job is None and problem is None,
        parts=parts_of(known),
    )


def _plots(project: str, history: UsageHistory) -> JsonObject:
    """Return what stats.js draws: the chart that chats are sent as a picture."""
    return asdict(usage_picture(project, history).chart)
