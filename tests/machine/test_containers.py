"""SCAR's own docker-compose.yml, as Compose understands it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scar.settings.table import all_settings

ROOT = Path(__file__).parents[2]
REQUIRED = {
    "REDIS_PASSWORD": "a-long-password",
    "SCAR_TELEGRAM_TOKEN": "4242:AA-do-not-tell-anybody",
    "SCAR_WORKSPACE": "/elsewhere/workspace",
    "SCAR_PRODUCTION": "/elsewhere/production",
    "DOCKER_SOCKET": "/elsewhere/docker.sock",
    "DOCKER_GID": "4321",
}


def config(env_file: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """`docker compose config`, with nothing set but what is given."""
    docker = shutil.which("docker")
    assert docker is not None
    kept = {name: os.environ[name] for name in ("PATH", "DOCKER_CONFIG") if name in os.environ}
    compose = [docker, "compose", "--env-file", str(env_file), "-f", "docker-compose.yml"]
    return subprocess.run(
        [*compose, "config", "--format", "json"],
        cwd=ROOT,
        env=kept | given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    done = config(Path(os.devnull), **REQUIRED)
    assert done.returncode == 0, done.stderr
    by_name: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return by_name


def mounts(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {mount["target"]: mount for mount in service.get("volumes", [])}


def test_only_the_worker_container_has_the_docker_socket(
    services: dict[str, dict[str, Any]],
) -> None:
    holders = [
        name
        for name, service in services.items()
        if any("sock" in f"{m.get('source')}{m['target']}" for m in service.get("volumes", []))
    ]
    assert holders == ["worker"]
    assert services["worker"]["group_add"] == ["4321"]
    held = mounts(services["worker"])["/var/run/docker.sock"]
    assert held["source"] == "/elsewhere/docker.sock"


def test_folders_have_the_same_paths_in_the_container_as_on_the_host(
    services: dict[str, dict[str, Any]],
) -> None:
    for path in ("/elsewhere/workspace", "/elsewhere/production"):
        assert mounts(services["worker"])[path]["source"] == path
    for name in ("api", "telegram"):
        others = {"/run/scar/own", "/run/scar/trusted"}
        assert {*mounts(services[name])} - others == {"/elsewhere/workspace"}
        assert mounts(services[name])["/elsewhere/workspace"]["read_only"] is True


def test_each_container_has_only_the_privileges_it_needs(
    services: dict[str, dict[str, Any]],
) -> None:
    assert {*services} == {"keys", "redis", "api", "telegram", "worker"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["restart"] == ("no" if name == "keys" else "unless-stopped"), name
        assert not service.get("privileged"), name
        assert name == "worker" or "cap_add" not in service, name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name


def test_a_private_key_is_in_the_container_of_its_part_alone(
    services: dict[str, dict[str, Any]],
) -> None:
    for part in ("api", "telegram", "worker"):
        volume = f"key-{part}"
        holders = [
            name
            for name, service in services.items()
            if any(mount["source"] == volume for mount in service.get("volumes", []))
        ]
        assert holders == ["keys", part] or holders == [part, "keys"]
        assert mounts(services[part])["/run/scar/own"]["read_only"] is True
        assert mounts(services[part])["/run/scar/trusted"]["read_only"] is True
    assert services["keys"]["network_mode"] == "none"


def test_the_bots_token_goes_to_the_bot_alone(services: dict[str, dict[str, Any]]) -> None:
    token = REQUIRED["SCAR_TELEGRAM_TOKEN"]
    assert [name for name in services if token in json.dumps(services[name])] == ["telegram"]


@pytest.mark.parametrize("missing", ["REDIS_PASSWORD", "SCAR_TELEGRAM_TOKEN"])
def test_compose_refuses_an_env_file_whose_secrets_are_not_filled_in(missing: str) -> None:
    """Compose reads `NAME= # remark` as the value `# remark`, which would be a secret that
    everybody knows.
    """
    filled = {name: REQUIRED[name] for name in REQUIRED if name != missing}
    done = config(ROOT / ".env.example", **filled)
    assert done.returncode != 0
    assert missing in done.stderr


def test_the_example_names_every_setting() -> None:
    known = {setting.variable for setting in all_settings()}
    compose = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    example = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert example == known | compose | {"COMPOSE_PROFILES"}
