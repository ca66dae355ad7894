"""When a container counts as well, and what is said when it does not."""

from __future__ import annotations

import time

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
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


def wait(project: Project, health: Health, *, timeout: float = 5, stable: float = 1) -> list[str]:
    told: list[str] = []
    health.wait(
        [found.id for found in project.containers()],
        timeout=timeout,
        stable_seconds=stable,
        progress=lambda _name, word: told.append(word),
    )
    return told


def fails(project: Project, health: Health, *, timeout: float = 5, stable: float = 1) -> ScarError:
    with pytest.raises(ScarError) as failure:
        wait(project, health, timeout=timeout, stable=stable)
    assert failure.value.code == "unhealthy"
    return failure.value


def test_healthy_and_still_so(project: Project, health: Health) -> None:
    project.up(PROBED.format(script="sleep 1; touch /ok; sleep 100", restart="no",
                             probe="test -e /ok"))  # fmt: skip
    begun = time.monotonic()
    told = wait(project, health)
    assert told[-2:] == ["stable", "ready"]
    assert told[0] in ("starting", "unhealthy")
    assert time.monotonic() - begun > 1.5


def test_running_without_a_health_check(project: Project, health: Health) -> None:
    project.up(PLAIN.format(script="sleep 100", restart="no"))
    begun = time.monotonic()
    assert wait(project, health) == ["stable", "ready"]
    assert time.monotonic() - begun >= 1


def test_never_healthy_shows_the_probes_words_and_the_log(project: Project, health: Health) -> None:
    script = "echo starting up; echo no database >&2; sleep 100"
    project.up(PROBED.format(script=script, restart="no", probe="echo connection refused; exit 1"))
    failure = fails(project, health, timeout=1.5)
    assert f"'{project.name}-app-1' is unhealthy after" in failure.message
    assert "connection refused" in failure.hint
    assert sorted(failure.lines) == ["no database", "starting up"]


def test_it_exits_a_second_after_it_was_healthy(project: Project, health: Health) -> None:
    project.up(PROBED.format(script="sleep 1.2; echo bye; exit 0", restart="no", probe="true"))
    failure = fails(project, health, stable=3)
    assert "exited with code 0" in failure.message
    assert failure.lines == ("bye",)


def test_it_fails_a_second_after_it_started(project: Project, health: Health) -> None:
    project.up(PLAIN.format(script="sleep 1; echo lost; exit 7", restart="no"))
    failure = fails(project, health, stable=3)
    assert "exited with code 7" in failure.message
    assert failure.lines == ("lost",)


def test_a_restart_loop_is_told_before_the_time_is_up(project: Project, health: Health) -> None:
    project.up(PLAIN.format(script="echo boom; exit 3", restart="always"))
    begun = time.monotonic()
    failure = fails(project, health, timeout=60)
    assert "restarts in a loop (exit code 3)" in failure.message
    assert time.monotonic() - begun < 15


def test_a_restart_begins_the_stable_time_anew(project: Project, health: Health) -> None:
    script = "test -e /once && sleep 100; touch /once; sleep 1; exit 1"
    project.up(PLAIN.format(script=script, restart="always"))
    told = wait(project, health, stable=2)
    assert told[-1] == "ready"
    assert project.service("app").state == "running"


def test_a_one_shot_container_is_done(project: Project, health: Health) -> None:
    project.up(PLAIN.format(script="echo migrated", restart="no"))
    assert wait(project, health)[-1] == "done"


def test_a_server_that_ends_quietly_is_not(project: Project, health: Health) -> None:
    text = PLAIN.format(script="exit 0", restart="no") + '    ports: ["127.0.0.1::80"]\n'
    project.up(text)
    assert "exited with code 0" in fails(project, health).message


def test_out_of_memory_is_named(project: Project, health: Health) -> None:
    script = "x=a; while :; do x=$$x$$x; done"
    project.up(PLAIN.format(script=script, restart="no") + "    mem_limit: 8m\n")
    assert "out of memory" in fails(project, health, stable=5).hint


def test_waiting_can_be_called_off(project: Project, health: Health) -> None:
    (found,) = project.up(PROBED.format(script="sleep 100", restart="no", probe="false"))

    def check() -> None:
        raise ScarError("cancelled", "Cancelled", "")

    with pytest.raises(ScarError, match="Cancelled"):
        health.wait([found.id], timeout=60, stable_seconds=1, check=check)


def test_a_container_that_is_removed_meanwhile(project: Project, health: Health) -> None:
    (found,) = project.up(PLAIN.format(script="sleep 100", restart="no"))
    project.remove()
    with pytest.raises(ScarError, match="was removed while it was waited for"):
        health.wait([found.id], timeout=5, stable_seconds=1)
