"""What `scar doctor` says of planted mistakes that need no Engine and no Redis."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scar.cli.checks import findings
from scar.cli.checks.settings import OF_COMPOSE
from scar.cli.docker import DockerCommand
from scar.keys.key_store import key_pair
from scar.registration.spec import Finding
from scar.settings import Settings

ROOT = Path(__file__).parents[2]
Doctor = Callable[..., list[Finding]]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """`doctor({"agent": "claude"}, SCAR_HOST="x")`: the findings for one project."""
    for name in os.environ:
        if name.startswith("SCAR_") or name == "DOCKER_HOST":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(entry: dict[str, Any] | None = None, **env: str) -> list[Finding]:
        for folder in ("workspace/shop", "production"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        full = {
            "workspace": str(tmp_path / "workspace/shop"),
            "production": str(tmp_path / "production/shop"),
            "containers": ["web"],
            **(entry or {}),
        }
        (tmp_path / "projects.json").write_text(json.dumps({"shop": full}))
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        values = {
            "SCAR_PROJECTS_FILE": str(tmp_path / "projects.json"),
            "SCAR_STATE_DIR": str(tmp_path / "state"),
            "SCAR_API_URL": "http://127.0.0.1:1",
            "DOCKER_HOST": "unix:///nowhere.sock",
            **env,
        }
        return list(findings(Settings.load(values, dotenv=None)))

    return run


def wrong(findings: list[Finding]) -> dict[str, str]:
    return {f.subject: f"{f.detail} {f.remedy}" for f in findings if f.remedy}


def test_one_cause_is_one_line_and_nothing_is_written(doctor: Doctor, tmp_path: Path) -> None:
    findings = doctor()
    assert set(wrong(findings)) <= {"docker command", "docker socket", "redis"}
    told = {f.subject: f.detail for f in findings}
    assert "the first deploy makes it" in told["shop: production"]
    assert "the first `scar up` makes them" in told["keys"]
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "production/shop").exists()


def test_before_the_first_start_the_key_of_the_worker_is_not_to_be_added_by_hand(
    doctor: Doctor, tmp_path: Path
) -> None:
    key_pair(Settings.load({"SCAR_STATE_DIR": str(tmp_path / "state")}, dotenv=None), "console")
    told = wrong(doctor({"host": "far"}))["keys"]
    assert told.startswith("that of worker:far is not known here")
    assert "`scar up`" not in told
    assert "`scar up` makes it" in wrong(doctor())["keys"]


def test_a_misspelt_setting_is_told_the_nearest(doctor: Doctor) -> None:
    told = wrong(doctor(SCAR_CONFIRM_SECOND="5"))
    assert "Did you mean 'SCAR_CONFIRM_SECONDS'?" in told["setting SCAR_CONFIRM_SECOND"]
    assert "setting SCAR_WORKSPACE" not in wrong(doctor(SCAR_WORKSPACE="/w"))


def test_the_variables_of_compose_alone_are_those_of_its_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert yaml.safe_load(text)
    read = set(Settings.variables())
    written = {word.split("}")[0].split(":")[0] for word in text.split("${")[1:]}
    assert {name for name in written if name.startswith("SCAR_")} - read == set(OF_COMPOSE)


def test_an_unknown_default_project_is_told(doctor: Doctor) -> None:
    told = wrong(doctor(SCAR_DEFAULT_PROJECT="shp"))
    assert "Did you mean 'shop'?" in told["SCAR_DEFAULT_PROJECT"]


def test_an_agent_whose_program_is_missing_is_told(doctor: Doctor) -> None:
    assert "no such program" in wrong(doctor({"agent": "claud -p"}))["shop: agent"]
    assert "shop: agent" not in wrong(doctor({"agent": "sh -c true"}))


def test_settings_of_github_and_telegram_that_do_not_belong_together_are_told(
    doctor: Doctor,
) -> None:
    told = wrong(doctor(SCAR_GITHUB_WEBHOOK_SECRET="a-secret-of-github"))
    assert "nothing to answer with" in told["github"]
    assert "nobody may use SCAR on GitHub" in told["github users"]
    told = wrong(
        doctor({"roles": {"admin": ["github:ada"]}}, SCAR_GITHUB_WEBHOOK_SECRET="a-secret")
    )
    assert "github users" not in told
    told = wrong(doctor(SCAR_GITHUB_TOKEN="a-token", SCAR_GITHUB_API_URL="http://127.0.0.1:1"))
    assert "Is http://127.0.0.1:1 reachable?" in told["github"]
    assert "SCAR_TELEGRAM_TOKEN" in wrong(doctor(SCAR_TELEGRAM_USERS="1:admin"))["telegram"]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "production/shop"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_production_that_is_mounted_read_only_is_told(doctor: Doctor, read_only: Path) -> None:
    told = wrong(doctor())["shop: production"]
    assert f"{read_only} cannot be written: it is mounted read-only" in told


def test_doctor_uses_the_engine_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text('#!/bin/sh\necho "$DOCKER_HOST"\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert DockerCommand("tcp://elsewhere:2375").run("version") == "tcp://elsewhere:2375\n"
