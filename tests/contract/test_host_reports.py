"""What a host's Engine knows to be wrong with a project is shown where the projects file is."""

from __future__ import annotations

import time

import httpx
import pytest

from scar.access import Actor
from scar.bootstrap import Services
from scar.commands.projects import COMMAND as PROJECTS
from scar.commands.reload import COMMAND as RELOAD
from scar.errors import ErrorRecord
from scar.jobs.host_reports import HostReports
from scar.jobs.signing import Signatures
from scar.keys.key_store import worker_part

WRONG = ErrorRecord("project_invalid", "Container 'web' belongs to Compose project 'bank'", "Out.")


def reports_of(services: Services, part: str) -> HostReports:
    return HostReports(services.redis, Signatures.of(services.settings, part))


def shown(services: Services, actor: Actor) -> str:
    context = services.command_context
    return PROJECTS.reply(actor, (), context).text + RELOAD.reply(actor, (), context).text


def test_a_container_of_another_project_is_reported_as_an_error_in_the_projects_file(
    services: Services, operator: Actor, api_url: str
) -> None:
    reports = reports_of(services, worker_part("default"))
    reports.publish("default", {})
    assert WRONG.message not in shown(services, operator)
    reports.publish("default", {"shop": WRONG})
    assert shown(services, operator).count(WRONG.message) == 2
    headers = {"Authorization": "Bearer a-secret-of-tests-1"}
    for path in ("projects", "projects/shop"):
        url = f"{api_url}/api/v1/{path}"
        answer = httpx.get(url, headers=headers, verify=False).json()
        assert answer["problem"]["message"] == WRONG.message
    reports.publish("default", {})
    assert WRONG.message not in shown(services, operator)


def test_an_unsigned_or_old_report_of_a_host_is_ignored(
    services: Services, operator: Actor
) -> None:
    other = reports_of(services, worker_part("far"))
    other.publish("default", {"shop": WRONG})
    assert WRONG.message not in shown(services, operator), "another host's worker"
    other.publish("far", {"shop": WRONG})
    services.redis.rename("scar:report:far", "scar:report:default")
    assert WRONG.message not in shown(services, operator), "another host's report"
    signatures = Signatures.of(services.settings, worker_part("default"))
    old = HostReports(services.redis, signatures, wall=lambda: time.time() - 3600)
    old.publish("default", {"shop": WRONG})
    assert WRONG.message not in shown(services, operator), "an old one that was put back"
    with pytest.raises(LookupError):
        reports_of(services, "api").publish("default", {"shop": WRONG})


def test_a_host_cannot_report_errors_about_projects_of_another_host(
    services: Services, operator: Actor
) -> None:
    signatures = Signatures.of(services.settings, worker_part("far"))
    far = HostReports(services.redis, signatures)
    far.publish("far", {"shop": WRONG})
    hosts = {"shop": "default", "blog": "far"}
    assert far.problems(hosts) == {}
    now = int(time.time() * 1000)
    whole = {"host": "far", "at": now, "problems": {}}
    for content in ({}, {**whole, "at": "x"}, {**whole, "problems": 5}, {**whole, "containers": 5}):
        services.redis.set("scar:report:far", signatures.seal("report", content))
        assert far.problems(hosts) == {}
    assert shown(services, operator)


def test_a_report_of_an_older_worker_without_containers_counts(services: Services) -> None:
    signatures = Signatures.of(services.settings, worker_part("default"))
    at, problems = int(time.time() * 1000), {"shop": WRONG.to_json()}
    content = {"host": "default", "at": at, "problems": problems}
    services.redis.set("scar:report:default", signatures.seal("report", content))
    reports = reports_of(services, "api")
    assert reports.problems({"shop": "default"}) == {"shop": WRONG}
    assert reports.containers(services.projects.projects["shop"]) is None
