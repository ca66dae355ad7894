"""When a container counts as healthy, and how it is reported when it does not."""

from __future__ import annotations

import time

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
from tests.support.stopwatch import Stopwatch
from workers.engine.health import Health

PROBED = """
services:
  app:
    image: IMAGE
    command: ["sh", "-c", {script!r}]
    stop_signal: KILL
    restart: "{restart}"
    healthcheck:
      test: ["CMD-SHELL", {probe!r}]
      interval: 200ms
      timeout: 2s
      retries: 2
"""
PLAIN = """
services:
  app:
    image: IMAGE
    command: ["sh", "-c", {script!r}]
    stop_signal: KILL
    restart: "{restart}"
"""


def wait(project: Project, health: Health, *, timeout: float = 5, stable: float = 1) -> float:
    """Wait for the project's containers; return the seconds it took."""
    begin = time.monotonic()
    ids = [container.id for container in project.containers()]
    health.wait(ids, timeout=timeout, stable_seconds=stable)
    return time.monotonic() - begin


def fails(project: Project, health: Health, *, timeout: float = 5, stable: float = 1) -> ScarError:
    with pytest.raises(ScarError) as failure:
        wait(project, health, timeout=timeout, stable=stable)
    assert failure.value.code == "unhealthy"
    return failure.value


def test_the_wait_lasts_until_the_container_is_healthy_and_then_for_the_stable_time(
    project: Project, health: Health
) -> None:
    project.up(PROBED.format(script="sleep 1; touch /ok; sleep 100", restart="no",
                             probe="test -e /ok"))  # fmt: skip
    assert wait(project, health) > 1.5


def test_without_a_health_check_running_for_the_stable_time_is_enough(
    project: Project, health: Health
) -> None:
    project.up(PLAIN.format(script="sleep 100", restart="no"))
    assert wait(project, health) >= 1


def test_an_unhealthy_container_is_reported_with_probe_output_and_log(
    project: Project, health: Health
) -> None:
    script = "echo starting up; echo no database >&2; sleep 100"
    project.up(PROBED.format(script=script, restart="no", probe="echo connection refused; exit 1"))
    failure = fails(project, health, timeout=1.5)
    assert f"'{project.name}-app-1' is unhealthy after" in failure.message
    assert "connection refused" in failure.hint
    assert sorted(failure.lines) == ["no database", "starting up"]


def test_a_container_that_exits_after_it_was_healthy_is_reported(
    project: Project, health: Health
) -> None:
    project.up(PROBED.format(script="sleep 1.2; echo bye; exit 0", restart="no", probe="true"))
    failure = fails(project, health, stable=3)
    assert "exited with code 0" in failure.message
    assert failure.lines == ("bye",)


def test_a_container_that_fails_after_it_started_is_reported(
    project: Project, health: Health
) -> None:
    project.up(PLAIN.format(script="sleep 1; echo lost; exit 7", restart="no"))
    failure = fails(project, health, stable=3)
    assert "exited with code 7" in failure.message
    assert failure.lines == ("lost",)


def test_a_restart_loop_is_reported_before_the_timeout(project: Project, health: Health) -> None:
    project.up(PLAIN.format(script="echo boom; exit 3", restart="always"))
    begun = Stopwatch()
    failure = fails(project, health, timeout=60)
    assert "restarts in a loop (exit code 3)" in failure.message
    assert begun.seconds() < 15


def test_a_restart_resets_the_stable_time(project: Project, health: Health) -> None:
    script = "test -e /once && sleep 100; touch /once; sleep 1; exit 1"
    project.up(PLAIN.format(script=script, restart="always"))
    assert wait(project, health, stable=2) > 2.5
    assert project.service("app").state == "running"


def test_a_one_shot_container_that_exits_with_0_counts_as_done(
    project: Project, health: Health
) -> None:
    project.up(PLAIN.format(script="echo migrated", restart="no"))
    wait(project, health)
    assert project.service("app").exit_code == 0


def test_a_container_with_ports_that_exits_is_reported(project: Project, health: Health) -> None:
    text = PLAIN.format(script="exit 0", restart="no") + '    ports: ["127.0.0.1::80"]\n'
    project.up(text)
    assert "exited with code 0" in fails(project, health).message


def test_the_error_says_that_a_container_ran_out_of_memory(
    project: Project, health: Health
) -> None:
    script = "x=a; while :; do x=$$x$$x; done"
    project.up(PLAIN.format(script=script, restart="no") + "    mem_limit: 8m\n")
    assert "out of memory" in fails(project, health, stable=5).hint


def test_waiting_can_be_cancelled(project: Project, health: Health) -> None:
    (container,) = project.up(PROBED.format(script="sleep 100", restart="no", probe="false"))

    def check() -> None:
        raise ScarError("cancelled", "Cancelled", "")

    with pytest.raises(ScarError, match="Cancelled"):
        health.wait([container.id], timeout=60, stable_seconds=1, check=check)


def test_a_container_removed_during_the_wait_is_reported(project: Project, health: Health) -> None:
    (container,) = project.up(PLAIN.format(script="sleep 100", restart="no"))
    project.remove()
    with pytest.raises(ScarError, match="was removed while it was waited for"):
        health.wait([container.id], timeout=5, stable_seconds=1)
