"""The rules, each with views of a container that are its limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scar.projects import Project
from workers.engine.container import ContainerDetails
from workers.watch.observer import ContainerView, Death
from workers.watch.rules.exit_words import exit_words
from workers.watch.rules.judge import judge

NOW = 1_000_000.0
STEADY = 60.0
_RUNNING = ContainerDetails(
    id="c" * 64,
    name="shop-web-1",
    state="running",
    health=None,
    started_at=None,
    finished_at=None,
    exit_code=0,
    restart_count=0,
    oom_killed=False,
    restart_policy="no",
    stop_timeout=10,
    tty=False,
    has_health_check=False,
    publishes=False,
    error="",
)
_VIEW = ContainerView(
    project=Project("shop", Path("/w/shop"), Path("/srv/shop"), "shop"),
    name="shop-web-1",
    service="web",
    details=_RUNNING,
    expected=True,
    is_to_run=True,
    asked=False,
    deaths=(),
    at=NOW,
)


def _rule(view: ContainerView) -> str | None:
    problem = judge(view, steady_seconds=STEADY)
    return problem.rule if problem else None


def _ended(code: int, **changes: object) -> ContainerView:
    details = replace(_RUNNING, state="exited", exit_code=code, **changes)  # type: ignore[arg-type]
    return replace(_VIEW, details=details)


def _deaths(*seconds_ago: float, code: int = 1, out_of_memory: bool = False) -> tuple[Death, ...]:
    return tuple(Death(NOW - ago, code, out_of_memory) for ago in seconds_ago)


def test_a_container_that_runs_is_well() -> None:
    assert _rule(_VIEW) is None
    assert _rule(replace(_VIEW, details=replace(_RUNNING, health="healthy"))) is None
    assert _rule(replace(_VIEW, details=replace(_RUNNING, health="starting"))) is None
    assert _rule(replace(_VIEW, details=replace(_RUNNING, state="paused"))) is None


def test_a_failing_health_check_is_told_with_what_it_said() -> None:
    sick = replace(_RUNNING, health="unhealthy", probe_output=("connection refused",))
    problem = judge(replace(_VIEW, details=sick), steady_seconds=STEADY)
    assert problem is not None
    assert (problem.rule, "connection refused" in problem.why) == ("unhealthy", True)


@pytest.mark.parametrize("changes", [{"publishes": True}, {"restart_policy": "always"}, {}])
def test_an_end_without_error_is_told_unless_the_container_was_to_end(
    changes: dict[str, object],
) -> None:
    assert _rule(_ended(0, **changes)) == ("exited" if changes else None)
    assert _rule(_ended(1, **changes)) == "exited"


def test_what_ended_before_it_was_watched_is_left_alone() -> None:
    assert _rule(replace(_ended(1), is_to_run=False)) is None


def test_a_stop_by_hand_is_a_warning_that_says_so() -> None:
    problem = judge(replace(_ended(137), asked=True), steady_seconds=STEADY)
    assert problem is not None
    assert (problem.severity, problem.what) == ("warning", "was stopped by hand")


def test_137_alone_is_not_out_of_memory() -> None:
    killed = judge(_ended(137), steady_seconds=STEADY)
    ran_out = judge(_ended(137, oom_killed=True), steady_seconds=STEADY)
    assert killed is not None
    assert ran_out is not None
    assert (killed.rule, ran_out.rule) == ("exited", "out_of_memory")
    assert "SIGKILL" in killed.why


def test_one_that_ran_out_of_memory_is_told_until_it_has_run_for_a_while() -> None:
    assert _rule(replace(_VIEW, deaths=_deaths(59, out_of_memory=True))) == "out_of_memory"
    assert _rule(replace(_VIEW, deaths=_deaths(61, out_of_memory=True))) is None
    assert _rule(replace(_VIEW, deaths=_deaths(5))) is None


def test_a_loop_is_three_ends_within_ten_minutes_and_counts_them() -> None:
    assert _rule(replace(_VIEW, deaths=_deaths(40, 5))) is None
    assert _rule(replace(_VIEW, deaths=_deaths(700, 40, 5))) is None
    problem = judge(replace(_VIEW, deaths=_deaths(90, 40, 20, 5, code=2)), steady_seconds=STEADY)
    assert problem is not None
    assert (problem.rule, problem.count) == ("restart_loop", 4)
    assert "4 times within 85 s" in problem.why
    assert "exit code 2" in problem.why


def test_a_loop_is_over_once_the_container_has_run_for_a_while() -> None:
    assert _rule(replace(_VIEW, deaths=_deaths(90, 80, 61))) is None
    between = replace(_RUNNING, state="restarting", restart_count=9)
    assert _rule(replace(_VIEW, details=between, deaths=_deaths(90, 80, 61))) == "restart_loop"


def test_a_watcher_that_has_seen_no_end_takes_the_engines_count() -> None:
    between = replace(_RUNNING, state="restarting", restart_count=3, exit_code=1)
    assert _rule(replace(_VIEW, details=between)) == "restart_loop"
    assert _rule(replace(_VIEW, details=replace(between, restart_count=2))) is None
    long_ago = replace(_RUNNING, restart_count=20)
    assert _rule(replace(_VIEW, details=long_ago)) is None


def test_a_container_that_was_removed_is_gone_where_it_is_expected() -> None:
    assert _rule(replace(_VIEW, details=None)) == "gone"
    assert _rule(replace(_VIEW, details=None, expected=False)) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *((0, "without an error"), (1, "exit code 1"), (127, "was not there")),
        *((139, "segmentation"), (143, "SIGTERM"), (129, "SIGHUP"), (255, "signal 127")),
    ],
)
def test_an_exit_is_told_in_words(code: int, words: str) -> None:
    assert words in exit_words(code)
