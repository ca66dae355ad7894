"""The commands that do one job over the API: what they print, how they end."""

from __future__ import annotations

import json

from tests.support.installation import Installation
from tests.support.waiting import free_port

from .conftest import VIEWER


def test_status_prints_the_containers(running: Installation) -> None:
    done = running.scar("status", "shop")
    assert done.returncode == 0, done.stderr
    assert "📊 Shop - Production Status" in done.stdout
    assert "Workspace: " in done.stdout


def test_json_prints_the_job_and_nothing_else(running: Installation) -> None:
    done = running.scar("status", "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["kind"], job["project"], job["state"]) == ("status", "shop", "succeeded")
    assert job["result"]["containers"][0]["name"] == "scar-test-no-such-container"


def test_a_failed_job_is_exit_code_1(running: Installation) -> None:
    done = running.scar("logs", "shop", "5")
    assert done.returncode == 1
    assert "Container 'scar-test-no-such-container' not found" in done.stdout


def test_wrong_usage_is_exit_code_2(running: Installation) -> None:
    for words in (
        ("logs", "0"),
        ("logs", "-5"),
        ("logs", "shop", "5", "6"),
        ("status", "--nonsense"),
        ("status", "two", "projects"),
        ("shopp",),
    ):
        done = running.scar(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert "Traceback" not in done.stderr
    unknown = running.scar("status", "shp")
    assert unknown.returncode == 2
    assert "Project 'shp' not found in configuration" in unknown.stderr
    assert "Did you mean 'shop'?" in unknown.stderr


def test_an_unreachable_api_is_exit_code_3(running: Installation) -> None:
    done = running.scar("status", SCAR_API_URL=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr


def test_a_refused_request_is_exit_code_4(running: Installation) -> None:
    viewer = running.scar("restart", "--yes", SCAR_API_TOKEN=VIEWER)
    assert viewer.returncode == 4
    assert "You are a viewer here; a restart needs an operator." in viewer.stderr
    stranger = running.scar("status", SCAR_API_TOKEN="nobody-knows-this")
    assert stranger.returncode == 4


def test_a_question_that_is_not_answered_with_yes_does_nothing(running: Installation) -> None:
    for said in ("no\n", "y\n", "yes please\n"):
        done = running.scar("deploy", said=said)
        assert done.returncode == 1, done.stdout
        if "Type `yes` to deploy" in done.stderr:
            assert "Cancelled by" in done.stdout


def test_a_job_is_shown_again_by_its_id(running: Installation) -> None:
    made = json.loads(running.scar("status", "--json").stdout)
    again = running.scar("job", made["id"].lower())
    assert again.returncode == 0, again.stderr
    assert "📊 Shop - Production Status" in again.stdout
    assert running.scar("job", "01ARZ3NDEKTSV4RRFFQ69G5FAV").returncode == 2


def test_the_chat_works_over_a_pipe(running: Installation) -> None:
    done = running.scar("chat", said="/docker_status\n/help\nhello there\n/docker_statu\n")
    assert done.returncode == 0, done.stderr
    assert "📊 Shop - Production Status" in done.stdout
    assert "/docker_deploy [project] - deploy the workspace" in done.stdout
    assert "Did you mean '/docker_status'?" in done.stdout
    assert done.stdout.index("Production Status") < done.stdout.index("What you may do here")


def test_the_chat_without_an_api_is_exit_code_3(running: Installation) -> None:
    done = running.scar("chat", SCAR_API_URL=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 3
