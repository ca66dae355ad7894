"""The texts of replies: lists of files, the audit trail, a status before and after containers
ran.
"""

from __future__ import annotations

import time
from dataclasses import replace

from scar.access import Actor
from scar.audit import AuditEntry
from scar.commands.audit import _line, by_job
from scar.commands.status import COMMAND as STATUS
from scar.commands.text_format import changed_files, local_time
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.results.file_changes import FileCounts, FileNames
from scar.jobs.results.status import ContainerStatus, StatusResult
from workers.files.failures import disk_full

CONTAINER = ContainerStatus("web", "web", True, "running", None, 5, None, (), "shop-web", False)
STATUS_OF_SHOP = StatusResult("shop", None, (CONTAINER,), "/p", "/w", False, False, ())


def shown(status: StatusResult) -> str:
    request = Request(
        "01J", "status", "shop", "default", {}, Actor("api", "a", "a"), False, False, 0, 0
    )
    return STATUS.view(Job(request, JobState.SUCCEEDED, result=status.to_json())).text


def test_five_files_are_listed_and_the_others_counted() -> None:
    names = tuple(f"f{number}" for number in range(20))
    lines = changed_files(FileCounts(20, 1, 12), FileNames(names, ("app.py",), names))
    assert lines == ["+ f0", "+ f1", "+ f2", "~ app.py", "- f0", "… and 28 more"]
    few = changed_files(FileCounts(5, 0, 0), FileNames(names[:5], (), ()))
    assert few == [f"+ f{number}" for number in range(5)]


def test_a_long_path_is_shown_by_its_end() -> None:
    (line,) = changed_files(FileCounts(1, 0, 0), FileNames(("deep/" * 20 + "app.py",), (), ()))
    assert len(line) <= 50
    assert line.startswith("+ …")
    assert line.endswith("/app.py")


def test_the_audit_has_one_line_a_job_with_its_end_and_whoever_else_took_part() -> None:
    now = int(time.time() * 1000)
    end = AuditEntry("4-0", now, "scar:scar", "SCAR", "deploy", "shop", "01J", "succeeded")
    answered = AuditEntry("2-0", now, "api:ci", "ci", "audit", "", "", "answered")
    confirmed = replace(end, id="3-0", actor="telegram:2", name="Bob", outcome="confirmed")
    accepted = replace(end, id="1-0", actor="telegram:1", name="Ada", outcome="accepted")
    groups = [list(group) for group in by_job([end, confirmed, answered, accepted])]
    assert [_line(group) for group in groups] == [
        f"{local_time(now)} Ada (telegram:1) deploy shop → succeeded, "
        "confirmed by Bob (telegram:2)",
        f"{local_time(now)} ci (api:ci) audit → answered",
    ]


def test_a_status_before_the_first_deploy_says_so_and_marks_nothing_as_broken() -> None:
    missing = replace(CONTAINER, state="not found", uptime_seconds=None, image=None)
    text = shown(replace(STATUS_OF_SHOP, containers=(missing,), deployed=False))
    assert "Not deployed yet. /docker_deploy shop" in text
    assert "❌" not in text


def test_a_container_that_stopped_says_since_when_and_how_to_start_it() -> None:
    stopped = replace(
        CONTAINER, state="exited", exit_code=137, uptime_seconds=None, stopped_seconds=7500
    )
    text = shown(replace(STATUS_OF_SHOP, containers=(stopped,)))
    assert "❌ Status: Exited (137), 2h 5m ago" in text
    assert "/docker_restart shop starts what does not run." in text
    assert "/docker_restart" not in shown(STATUS_OF_SHOP)


def test_a_full_disk_says_what_is_needed_and_what_is_free() -> None:
    error = disk_full("/", need=1_050_000_000_000_000)
    assert error.message.startswith("Not enough room on /: 1050000000.0 MB needed, ")
    assert error.message.endswith(" MB free.")
