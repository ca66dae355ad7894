"""Mark every test with what it needs, by the folder, the file or the name that it has.

The longest matching key of `_NEEDS` counts. A folder that is not named needs nothing but Python,
git and the packages of requirements-dev.lock.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import chromium

# No example fails for the time that a busy machine takes; a test has a timeout as a whole.
# `--hypothesis-profile thorough` tries as many as Hypothesis does by itself.
settings.register_profile("thorough", deadline=None)
settings.register_profile("tests", deadline=None, max_examples=40)
settings.load_profile("tests")

_TESTS = Path(__file__).parent
_SERVER = ("redis", "slow")
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "agent/test_job.py": ("engine",),
    "agent/test_run.py": ("slow",),
    "api": ("redis",),
    "api/test_events.py::test_a_client_misses_and_repeats_no_event_when_the_api_is_killed": _SERVER,
    "api/test_events.py::test_a_server_that_stops_ends_its_streams": _SERVER,
    "api/test_events.py::test_an_event_stream_continues_after_a_restart_of_redis": _SERVER,
    "api/test_events.py::test_fifty_watchers_see_the_same_events": _SERVER,
    "api/test_health.py": _SERVER,
    "api/test_letters.py::test_unread_deliveries_do_not_fill_redis": _SERVER,
    "api/test_schema.py": _SERVER,
    "api/test_server.py": _SERVER,
    "api/test_server.py::test_one_event_stream_above_the_limit_is_503": ("redis",),
    "api/test_server.py::test_one_who_waits_for_too_much_is_refused_and_nobody_else": ("redis",),
    "bench": ("engine", "redis", "slow"),
    "chaos": ("engine", "redis", "slow"),
    "cli": ("engine", "redis"),
    "cli/test_doctor_and_init.py": ("engine",),
    "cli/test_redis_full.py": ("redis",),
    "contract/test_shell.py": _SERVER,
    "demo": ("engine", "redis", "slow"),
    "deploy": ("engine", "redis"),
    "engine": ("engine",),
    "engine/test_build_inputs.py": (),
    "engine/test_build_inputs.py::test_the_build_context_equals_what_docker_sends": ("engine",),
    "engine/test_process.py": (),
    "engine/test_process.py::test_a_command_that_ignores_the_interrupt_is_killed": ("slow",),
    "engine/test_progress.py": (),
    "engine/test_stop_tap.py": (),
    "files/test_crash.py": ("slow",),
    "files/test_model.py": ("slow",),
    "frontends": ("redis", "slow"),
    "frontends/test_console.py": (),
    "frontends/test_github_answers.py": (),
    "frontends/test_registration.py": ("engine", "redis", "slow"),
    "git/test_clone.py": ("slow",),
    "git/test_update.py": ("slow",),
    "git/test_update_killed.py": ("slow",),
    "git/test_worker.py": ("redis", "slow"),
    "github": ("network", "redis", "slow"),
    "github/test_deploy.py": ("engine", "network", "redis"),
    "github/test_fix_a_bug.py": ("engine", "network", "redis"),
    "github/test_deployments.py": (),
    "github/test_text.py": (),
    "machine": ("engine",),
    "page": ("browser", "redis", "slow"),
    "safety": ("engine", "redis"),
    "telegram": ("redis", "slow"),
    "telegram/test_text.py": (),
    "unit/test_masking_forms.py::test_no_beginning_of_a_token_makes_masking_slow": ("slow",),
    "unit/test_state_folder.py::test_each_part_says_in_one_line_why_it_does_not_start": ("slow",),
    "watch": ("engine",),
    "watch/test_rules.py": (),
    "state/test_job_log.py::test_jobs_that_begin_at_the_same_time_are_all_logged": ("slow",),
}
_NO_ENGINE = (
    "No Docker Engine that is set up for tests can be reached: "
    "run `make test`, which finds one, or `make test-fast`, which needs none."
)
_NO_CHROMIUM = (
    "No Chromium is installed: run `tests/machine/browser` as root on Debian, or install "
    "chromium or google-chrome."
)


def needs_of(node_id: str) -> tuple[str, ...]:
    """Return the markers of a test, whose id is `tests/FOLDER/FILE::NAME[PARAMETERS]`."""
    path, _, name = node_id.removeprefix("tests/").partition("::")
    keys = [f"{path}::{name.partition('[')[0]}", path, *map(str, Path(path).parents)]
    return next((_NEEDS[key] for key in keys if key in _NEEDS), ())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the markers before `-m` is looked at."""
    for item in items:
        place = item.path.relative_to(_TESTS)
        for marker in needs_of(f"tests/{place}::{item.name}"):
            item.add_marker(marker)


@functools.cache
def _engine_is_ready() -> bool:
    """Return whether an Engine answers and has the base image that tests/machine/engine makes."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    command = [docker, "image", "inspect", "scar-test/busybox:1"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """End the session at the first test that needs an Engine where there is none, and fail a test
    that needs a Chromium where there is none.
    """
    if item.get_closest_marker("engine") and not _engine_is_ready():
        item.session.shouldstop = _NO_ENGINE
        pytest.fail(_NO_ENGINE, pytrace=False)
    if item.get_closest_marker("browser") and chromium.executable() is None:
        pytest.fail(_NO_CHROMIUM, pytrace=False)
