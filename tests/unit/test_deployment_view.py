"""The message of an ended deploy, word for word, without anything that did not happen."""

from __future__ import annotations

from typing import Any

import pytest

from scar.access import Actor
from scar.chat.job_view import view_job
from scar.commands import job_commands
from scar.commands.deployment_view import plan_lines
from scar.errors import ErrorRecord
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.results.deploy import DeployPlan
from scar.jobs.step import Step, StepState
from tests.support.job_documents import DEPLOYED, PLANNED

REQUEST = Request(
    "01JAAAAAAAAAAAAAAAAAAAAAAA", "deploy", "shop", "default", {}, Actor("api", "1", "Ada"),
    asks=True, changes=True, created_at=0, expires_at=0,
)  # fmt: skip
ERROR = ErrorRecord("unhealthy", "Container 'shop-web-1' is unhealthy", "See its logs.")
STEPS = (
    Step("checking", "Checking", StepState.SUCCEEDED),
    Step("copying", "Copying files", StepState.SUCCEEDED),
    Step("building", "Building new image", StepState.SUCCEEDED),
)
RESTARTED = Step("restarting", "Restarting containers", StepState.SUCCEEDED)


def text_of(state: JobState, *steps: Step, **values: Any) -> str:
    job = Job(REQUEST, state, steps=steps, **values)
    return view_job(job_commands()["deploy"], job).text


def test_the_message_of_a_deploy_that_changed_nothing_does_not_say_it_was_put_back() -> None:
    failed = Step("building", "Building new image", StepState.FAILED)
    result = {"production_state": "Production was not touched."}
    text = text_of(JobState.ROLLED_BACK, *STEPS[:2], failed, error=ERROR, result=result)
    assert "❌ Deployment failed at Building new image" in text
    assert "💡 Production was not touched." in text
    assert "↩️" not in text


@pytest.mark.parametrize(
    ("step", "name"),
    [
        # The title that an earlier version gave the step is not what its line says.
        (Step("verifying", "Verifying", StepState.FAILED), "Checking health"),
        (Step("verifying", "Checking health", StepState.FAILED), "Checking health"),
        (Step("building", "Fetching images", StepState.FAILED), "Fetching images"),
        (Step("updating", "Updating workspace", StepState.FAILED), "Updating workspace"),
    ],
)
def test_a_failed_step_has_the_name_that_was_shown(step: Step, name: str) -> None:
    text = text_of(JobState.ROLLED_BACK, step, error=ERROR)
    assert f"❌ Deployment failed at {name}\n" in text
    running = Step(step.name, step.title, StepState.RUNNING)
    assert f"{name}..." in text_of(JobState.RUNNING, running)


def test_the_downtime_of_a_deploy_that_was_put_back_is_told() -> None:
    back = Step("rolling_back", "Putting production back", StepState.SUCCEEDED)
    failed = Step("verifying", "Checking health", StepState.FAILED)
    result = {"production_state": "Production has the files it had.", "downtime_seconds": 2.5}
    text = text_of(JobState.ROLLED_BACK, failed, back, error=ERROR, result=result)
    assert text.endswith("↩️ Production has the files it had.\n⏱️ Downtime: 2.5s")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("odin-health-agent", "Odin-health-agent: Running (3s uptime)"),
        ("scar-demo-29499e-web-1", "Scar-demo-29499e-web-1: Running (3s uptime)"),
        ("backend", "Backend: Running (3s uptime)"),
    ],
)
def test_a_container_is_called_as_it_is_but_for_the_first_letter(name: str, shown: str) -> None:
    result = {**DEPLOYED, "primary": {"name": name, "state": "running", "uptime_seconds": 3}}
    text = text_of(JobState.SUCCEEDED, *STEPS, RESTARTED, result=result)
    assert shown in text.splitlines()


def test_the_line_of_a_finished_health_check_is_removed() -> None:
    checked = Step("verifying", "Checking health", StepState.SUCCEEDED)
    text = text_of(JobState.SUCCEEDED, *STEPS, RESTARTED, checked, result=DEPLOYED)
    assert text.startswith(
        "📦 Copying files...\n🔨 Building new image...\n🔄 Restarting containers...\n"
        "✅ Deployment complete!\n\nShop-web-1: Running\n"
    )


def test_progress_never_shows_an_earlier_text_again() -> None:
    titles = {"checking": "Checking", "copying": "Copying files", "verifying": "Checking health"}
    texts = [text_of(JobState.RUNNING)]
    done: tuple[Step, ...] = ()
    for name, title in titles.items():
        for state in (StepState.RUNNING, StepState.SUCCEEDED):
            texts.append(text_of(JobState.RUNNING, *done, Step(name, title, state)))
        done = (*done, Step(name, title, StepState.SUCCEEDED))
    changes = [text for before, text in zip(["", *texts], texts, strict=False) if text != before]
    assert changes == [
        "🚀 Deploying...",
        "🔍 Checking...",
        "📦 Copying files...",
        "📦 Copying files...\n🩺 Checking health...",
    ]


def test_an_image_that_is_only_fetched_is_not_called_a_build() -> None:
    plan = {**PLANNED, "build": [], "restart": ["db"], "compose": {"new": ["db"], "pulled": ["db"]}}
    lines = text_of(JobState.AWAITING_CONFIRMATION, plan=plan).splitlines()
    assert "Fetch the image of: db" in lines
    assert not [line for line in lines if line.startswith("Build")]


def test_a_plan_of_an_earlier_version_still_says_what_is_restarted() -> None:
    assert "Restart: web" in text_of(JobState.AWAITING_CONFIRMATION, plan=PLANNED).splitlines()


def test_a_second_question_says_what_changed() -> None:
    sentence = "The workspace changed while you were reading: page"
    plan = {**PLANNED, "changed": True, "since_shown": [sentence]}
    assert text_of(JobState.AWAITING_CONFIRMATION, plan=plan).startswith(f"⚠️ {sentence}\n\n🚀")


def test_links_out_of_the_workspace_and_what_is_left_out_are_named() -> None:
    sockets = [f"run/{number}.sock" for number in range(7)]
    lines = plan_lines(DeployPlan.from_json({**PLANNED, "special": sockets}))
    at = lines.index("🔗 Lead out of the workspace, copied as links (1):")
    assert lines[at + 1] == "- .venv/bin/python3 -> /usr/bin/python3"
    assert (
        "💡 Left out, sockets, pipes or devices: run/0.sock, run/1.sock, run/2.sock, "
        "run/3.sock, run/4.sock, …"
    ) in lines
