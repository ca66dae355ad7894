"""Every line that is logged during a job contains the job's id."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import structlog
from flask import Flask

from scar.api import app as api


def test_a_request_about_a_job_is_logged_with_its_id() -> None:
    application = Flask("test")
    application.before_request(api.name_job_in_log)
    logged: list[MutableMapping[str, Any]] = []

    @application.route("/jobs/<job_id>")
    @application.route("/other")
    def view(job_id: str = "") -> str:
        logged.append(structlog.contextvars.get_contextvars())
        return job_id

    client = application.test_client()
    for path in ("/jobs/01J", "/other"):
        client.get(path)
    assert logged == [{"job": "01J"}, {}]
