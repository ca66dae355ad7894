"""The shell over the API: which stream says what, Ctrl-C, and which job a cancel stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from scar.jobs.record import Job, JobState
from scar.jobs.step import StepState
from tests.support.acting_worker import ActingWorker, restarting, status_of
from tests.support.waiting import PATIENCE

Ask = Callable[..., Job]
Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def redis(real_redis: Redis) -> Redis:
    """A real one alone: each test starts a process, which does not see what is behind the API."""
    return real_redis


@pytest.fixture
def begin(api_url: str, tmp_path: Path) -> Iterator[Begin]:
    """`begin("follow", "shop")`: a command of the shell, its three streams on pipes."""
    begun: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "scar.cli", *words],
            cwd=tmp_path,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "SCAR_API_URL": api_url,
                "SCAR_API_TOKEN": "a-secret-of-tests-1",
                "SCAR_STATE_DIR": str(tmp_path / "shell"),
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background of a script, Ctrl-C is ignored and so inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGHUP])
def test_a_follow_prints_its_lines_alone_and_ctrl_c_ends_its_job(
    worker: ActingWorker, begin: Begin, ends: signal.Signals
) -> None:
    process = begin("follow", "shop")
    job = worker.next_job("follow", "test")
    claim = worker.claim(job.id)
    claim.lines("[1] one", "[2] two")
    assert (line(process), line(process)) == ("[1] one\n", "[2] two\n")
    process.send_signal(ends)
    said, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert (said, complained.strip()) == ("", "")
    assert worker.services.ledger.renew(claim.claim.id, claim.claim.fence)[1], "it is cancelled"


def test_ctrl_c_leaves_a_deploy_and_says_how_to_see_and_to_stop_it(
    worker: ActingWorker, begin: Begin
) -> None:
    process = begin("restart", "shop", "--yes")
    job = worker.next_job("restart", "test")
    claim = worker.claim(job.id)
    claim.step(restarting("web", StepState.SUCCEEDED))
    assert process.stderr
    assert "🔄 Restarting containers..." in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert said == ""
    assert f"restart shop goes on without this terminal.\nSee it: scar job {job.id}" in complained
    assert f"Stop it: scar cancel {job.id}" in complained
    assert worker.state(job.id) is JobState.RUNNING


def test_progress_goes_to_stderr_and_the_end_to_stdout(worker: ActingWorker, begin: Begin) -> None:
    process = begin("restart", "shop", "--yes")
    worker.finish(worker.next_job("restart", "test").id, {"downtime_seconds": 0.2})
    said, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complained
    assert said.splitlines()[:2] == ["🔄 Restarting containers...", "✅ web restarted"]
    assert said.count("Production is live.") == 1
    assert "✅ web restarted" in complained
    assert "Production is live." not in complained


def test_a_broken_projects_file_is_told_beside_the_answer(
    worker: ActingWorker, begin: Begin
) -> None:
    path = worker.services.projects.path
    worker.services.projects.names()
    path.write_text(path.read_text().replace(",", "", 1))
    process = begin("status", "shop")
    worker.claim(worker.next_job("status", "test").id).succeed(status_of("shop"))
    said, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complained
    assert "Projects file" not in said
    assert "⚠️ Projects file not loaded, line 1 column" in complained
    assert "Still using the last good version." in complained


def test_a_command_that_asks_is_refused_if_standard_input_is_closed(
    worker: ActingWorker, begin: Begin
) -> None:
    process = begin("deploy", "shop")
    _, complained = process.communicate("", timeout=PATIENCE)
    assert process.returncode == 2
    assert "scar deploy --yes" in complained
    assert not worker.jobs_of("test")


def test_an_unknown_command_is_told_the_nearest_and_every_summary_is_whole(begin: Begin) -> None:
    _, complained = begin("deply").communicate(timeout=PATIENCE)
    assert "No such command 'deply'. Did you mean 'deploy'?" in complained
    said, _ = begin("--help").communicate(timeout=PATIENCE)
    listed = said.partition("Commands:")[2].splitlines()
    assert [line for line in listed if line.endswith("...")] == []


def test_a_list_without_jobs_says_so_beside_the_output(begin: Begin) -> None:
    said, complained = begin("jobs", "failed").communicate(timeout=PATIENCE)
    assert (said, complained) == ("", "None yet.\n")


def test_showing_another_persons_question_without_an_input_does_not_answer_it(
    worker: ActingWorker, begin: Begin, ask: Callable[..., object]
) -> None:
    ask("restart")
    job = worker.next_job("restart", "1")
    worker.plan(job.id)
    process = begin("job", job.id)
    process.communicate("", timeout=PATIENCE)
    assert process.returncode == 2
    assert worker.state(job.id) is JobState.AWAITING_CONFIRMATION


def test_cancel_of_a_wrong_name_says_so(begin: Begin) -> None:
    process = begin("cancel", "shp")
    _, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "No job or project 'shp'" in complained
    assert "Did you mean 'shop'?" in complained


@pytest.mark.usefixtures("services")
def test_a_job_can_be_named_by_its_project(worker: ActingWorker, ask: Ask, begin: Begin) -> None:
    ended, latest = ask("restart"), ask("status")
    worker.plan(ended.id)
    worker.services.job_service.cancel(ended.request.requested_by, ended.id)
    worker.claim(latest.id).succeed(status_of("shop"))
    process = begin("job", "shop")
    said, complained = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complained) == (0, "")
    assert "Production Status" in said
