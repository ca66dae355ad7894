"""How Compose is started: as its plugin, where that is in a usual place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.engine.compose_command import compose_program


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine with the Docker CLI and Compose's plugin."""
    for path in (tmp_path / "bin/docker", tmp_path / "home/.docker/cli-plugins/docker-compose"):
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def test_the_plugin_is_started_without_the_cli(tmp_path: Path, env: dict[str, str]) -> None:
    program, more = compose_program(env)
    assert program == [str(tmp_path / "home/.docker/cli-plugins/docker-compose"), "compose"]
    assert more == {"DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": str(tmp_path / "bin/docker")}


def test_the_folder_of_DOCKER_CONFIG_comes_first(tmp_path: Path, env: dict[str, str]) -> None:
    plugin = tmp_path / "config/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    program, _ = compose_program({**env, "DOCKER_CONFIG": str(tmp_path / "config")})
    assert program == [str(plugin), "compose"]


@pytest.mark.parametrize(
    "config", [json.dumps({"cliPluginsExtraDirs": ["/opt/plugins"]}), "no JSON", "[]"]
)
def test_a_compose_plugin_in_an_unusual_folder_is_started_through_the_cli(
    tmp_path: Path, env: dict[str, str], config: str
) -> None:
    (tmp_path / "home/.docker/config.json").write_text(config)
    assert compose_program(env) == ([str(tmp_path / "bin/docker"), "compose"], {})


def test_the_cli_says_why_a_plugin_does_not_run(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "home/.docker/cli-plugins/docker-compose").chmod(0o644)
    assert compose_program(env) == ([str(tmp_path / "bin/docker"), "compose"], {})


def test_the_error_says_that_the_docker_cli_is_not_installed(env: dict[str, str]) -> None:
    with pytest.raises(ScarError) as failure:
        compose_program({**env, "PATH": "/nowhere"})
    assert failure.value.code == "docker_unavailable"
