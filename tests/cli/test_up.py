"""`scar up` and its parts, as processes."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from tests.support.installation import Installation
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import PATIENCE, eventually


def test_a_part_that_is_killed_is_restarted_and_sigterm_ends_all_parts(
    installation: Installation,
) -> None:
    installation.project("shop", "scar-test-no-such-container")
    up = installation.up()
    groups = {os.getpgid(pid) for pid in installation.processes()}
    assert groups == {os.getpgid(up.pid)}, "one process group"
    for part in ("redis", "api", "worker"):
        assert f"\n{part} " in f"\n{installation.log}"
    assert f"http://127.0.0.1:{installation.port}" in installation.log

    for words in ("scar.cli api", "workers worker", "valkey-server"):
        before = installation.kill(words)
        eventually(partial(installation.has_other, words, before), f"{words} is back")
    eventually(lambda: installation.scar("status").returncode == 0, "status works again")

    started = Stopwatch()
    up.send_signal(signal.SIGTERM)
    assert up.wait(PATIENCE) == 0
    assert started.seconds() < 10
    assert installation.processes() == {}


def test_no_process_is_left_when_scar_up_is_killed(installation: Installation) -> None:
    installation.project("shop", "scar-test-no-such-container")
    up = installation.up()
    assert len(installation.processes()) > 4
    up.kill()
    up.wait()
    eventually(lambda: not installation.processes(), "everything is gone")


def test_a_second_scar_up_is_refused_and_leaves_the_first_ones_redis_alone(
    running: Installation,
) -> None:
    before = running.process("valkey-server")
    second = running.scar("up", SCAR_API_BIND="127.0.0.1:1")
    assert second.returncode == 4
    assert "Another `scar up` has its Redis in" in second.stderr
    assert "Traceback" not in second.stderr
    assert running.process("valkey-server") == before


def test_jobs_survive_a_restart_of_everything(installation: Installation) -> None:
    installation.project("shop", "scar-test-no-such-container")
    installation.up()
    assert installation.scar("status").returncode == 0
    installation.down()
    installation.up()
    listed = installation.scar("jobs")
    assert listed.returncode == 0
    assert "succeeded" in listed.stdout
    assert "status shop" in listed.stdout


def test_a_part_with_a_wrong_setting_ends_with_one_line_that_names_it(
    installation: Installation,
) -> None:
    for words, settings, name in (
        (("up",), {"SCAR_CONFIRM_SECONDS": "soon"}, "SCAR_CONFIRM_SECONDS"),
        (("telegram",), {}, "SCAR_TELEGRAM_TOKEN"),
        (("worker",), {"SCAR_KEY_FILE": "/nowhere/key.pem"}, "SCAR_KEY_FILE"),
        (("up",), {"SCAR_STATE_DIR": "not/absolute"}, "SCAR_STATE_DIR"),
    ):
        completed = installation.scar(*words, **settings)
        assert completed.returncode == os.EX_CONFIG, completed.stderr
        assert name in completed.stderr.splitlines()[0]
        assert "Traceback" not in completed.stderr


def test_a_state_folder_whose_path_is_too_long_for_a_socket_works(tmp_path: Path) -> None:
    deep = Installation(tmp_path / ("x" * 100))
    deep.folder.mkdir()
    deep.project("shop", "scar-test-no-such-container")
    try:
        deep.up()
        assert (deep.folder / "state/redis").is_dir()
        assert len(deep.redis_url) < 108
    finally:
        deep.down()
