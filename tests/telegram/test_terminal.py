"""The same questions in a terminal: `scar chat` and the commands of the shell."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scar.jobs.record import JobState
from tests.support.acting_worker import ActingWorker
from tests.support.telegram_scene import TelegramScene
from tests.support.waiting import PATIENCE

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_yes_on_the_terminal_runs_the_job(
    scene: TelegramScene, worker: ActingWorker, aside: ThreadPoolExecutor
) -> None:
    running = aside.submit(scene.installation.scar, "restart", "shop", said="yes\n")
    job = worker.next_job("restart", getpass.getuser())
    worker.plan(job.id)
    worker.finish(job.id, {"downtime_seconds": 2.0})
    done = running.result()
    assert done.returncode == 0, done.stderr
    assert "Type `yes` to confirm" in done.stderr
    assert "✅ web restarted" in done.stdout
    assert "Production is live" in done.stdout


@pytest.mark.parametrize("said", ["no\n", "y\n", "yes please\n"])
def test_any_other_answer_on_the_terminal_cancels_the_job(
    scene: TelegramScene, worker: ActingWorker, aside: ThreadPoolExecutor, said: str
) -> None:
    running = aside.submit(scene.installation.scar, "restart", said=said)
    job = worker.next_job("restart", getpass.getuser())
    worker.plan(job.id)
    done = running.result()
    assert done.returncode == 1
    assert "Cancelled by" in done.stdout
    assert worker.state(job.id) is JobState.CANCELLED


def test_a_changed_plan_is_asked_again_on_the_terminal(
    scene: TelegramScene, worker: ActingWorker, aside: ThreadPoolExecutor
) -> None:
    running = aside.submit(scene.installation.scar, "restart", said="yes\nno\n")
    job = worker.next_job("restart", getpass.getuser())
    worker.plan(job.id)
    worker.plan_again(worker.claim(job.id), "b" * 64, containers=["web", "db"])
    done = running.result()
    assert done.returncode == 1
    assert done.stderr.index("- web") < done.stderr.index("- db")
    assert worker.state(job.id) is JobState.CANCELLED


def test_the_option_yes_runs_the_job_without_a_question(
    scene: TelegramScene, worker: ActingWorker, aside: ThreadPoolExecutor
) -> None:
    running = aside.submit(scene.installation.scar, "restart", "--yes")
    job = worker.next_job("restart", getpass.getuser())
    worker.finish(job.id, {"downtime_seconds": None})
    done = running.result()
    assert done.returncode == 0, done.stderr
    assert "Type `yes`" not in done.stdout


def test_a_busy_project_is_exit_code_4(
    scene: TelegramScene, worker: ActingWorker, aside: ThreadPoolExecutor
) -> None:
    running = aside.submit(scene.installation.scar, "restart", "--yes")
    job = worker.next_job("restart", getpass.getuser())
    second = scene.installation.scar("deploy", "--yes")
    assert second.returncode == 4
    assert f"held by restart {job.id}" in second.stderr
    worker.finish(job.id, {"downtime_seconds": None})
    assert running.result().returncode == 0


def test_a_question_is_asked_and_answered_over_a_pipe(
    scene: TelegramScene, worker: ActingWorker, aside: ThreadPoolExecutor
) -> None:
    running = aside.submit(scene.installation.scar, "chat", said="/docker_restart\nyes\n")
    job = worker.next_job("restart", getpass.getuser())
    worker.plan(job.id)
    worker.finish(job.id, {"downtime_seconds": None})
    done = running.result()
    assert done.returncode == 0, done.stderr
    asked = done.stdout.index("Type `yes` to confirm")
    assert asked < done.stdout.index("🔄 Restarting containers...")
    assert "✅ All containers healthy. Production is live." in done.stdout
    assert done.stdout.count("✅ web restarted") == 1


def _read_until(shell: subprocess.Popen[bytes], expected: bytes) -> bytes:
    assert shell.stdout is not None
    shown = b""
    while expected not in shown:
        more = os.read(shell.stdout.fileno(), 65_536)
        assert more, f"it ended, and showed: {shown.decode()}"
        shown += more
    return shown


def test_on_a_terminal_the_message_changes_in_place(
    scene: TelegramScene, worker: ActingWorker
) -> None:
    shell = subprocess.Popen(
        ["script", "-qec", f"{sys.executable} -m scar.cli chat", "/dev/null"],
        cwd=scene.installation.folder,
        env={**scene.installation.env, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert shell.stdin is not None
    shell.stdin.write(b"/docker_restart\n")
    shell.stdin.flush()
    job = worker.next_job("restart", getpass.getuser())
    worker.plan(job.id)
    asked = _read_until(shell, b"Type `yes`")  # a yes before it does not count
    shell.stdin.write(b"yes\n")
    shell.stdin.flush()
    worker.finish(job.id, {"downtime_seconds": None})
    worker.until(job.id, JobState.SUCCEEDED)
    ended = _read_until(shell, b"Production is live")
    shell.stdin.write(b"\x04")
    shell.stdin.flush()
    shown = (asked + ended + shell.communicate(timeout=PATIENCE)[0]).decode()
    assert shell.returncode == 0
    assert "Production is live" in shown
    assert "\x1b[" in shown
    assert "› " in shown
