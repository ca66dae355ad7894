"""`scar up` and its parts, as processes."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from tests.support.installation import Installation
from tests.support.waiting import eventually


def test_it_brings_every_part_up_again_and_takes_all_of_them_down(
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

    began = time.monotonic()
    up.send_signal(signal.SIGTERM)
    assert up.wait(15) == 0
    assert time.monotonic() - began < 10
    assert installation.processes() == {}


def test_nothing_outlives_a_killed_scar_up(installation: Installation) -> None:
    installation.project("shop", "scar-test-no-such-container")
    up = installation.up()
    assert len(installation.processes()) > 4
    up.kill()
    up.wait()
    eventually(lambda: not installation.processes(), "everything is gone", 15)


def test_a_second_scar_up_does_not_touch_the_redis_of_the_first(running: Installation) -> None:
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


def test_a_wrong_setting_is_one_line_that_names_it(installation: Installation) -> None:
    for words, settings, name in (
        (("up",), {"SCAR_CONFIRM_SECONDS": "soon"}, "SCAR_CONFIRM_SECONDS"),
        (("telegram",), {}, "SCAR_TELEGRAM_TOKEN"),
        (("worker",), {"SCAR_REDIS_URL": "redis://127.0.0.1:1"}, "SCAR_SECRET_KEY"),
        (("up",), {"SCAR_STATE_DIR": "not/absolute"}, "SCAR_STATE_DIR"),
    ):
        done = installation.scar(*words, **settings)
        assert done.returncode == os.EX_CONFIG, done.stderr
        assert name in done.stderr.splitlines()[0]
        assert "Traceback" not in done.stderr


def test_a_state_folder_too_deep_for_a_socket_does_as_well(tmp_path: Path) -> None:
    deep = Installation(tmp_path / ("x" * 100))
    deep.folder.mkdir()
    deep.project("shop", "scar-test-no-such-container")
    try:
        deep.up()
        assert (deep.folder / "state/redis").is_dir()
        assert len(deep.redis_url) < 108
    finally:
        deep.down()
