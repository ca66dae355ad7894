"""`docker compose`: what it reports, how it fails, and how it is stopped."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.compose_project import Project
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_progress import BuildOutput, BuildStep, ComposeEvent, ResourceState
from workers.engine.confinement import missing_confinement
from workers.engine.containers import Containers
from workers.engine.process import RunControl

RICH = """
x-log: &log {driver: json-file, options: {max-size: 1m}}
services:
  web:
    build: {context: ., args: [A, B=2]}
    image: IMAGE
    command: ["sh", "-c", "sleep 100; echo $$HOME ${DEFAULT:-x}"]
    stop_signal: KILL
    env_file: [app.env, {path: none.env, required: false}]
    environment: [EMPTY=, PRICE=5$$, UNSET]
    healthcheck: {test: "true", interval: 1m30s, start_period: 5s, disable: false}
    deploy: {resources: {limits: {memory: 64M}}, restart_policy: {condition: on-failure}}
    logging: *log
    labels: [a.b=c]
    volumes: ["./data:/data:ro", "kept:/kept", {type: tmpfs, target: /t}]
    networks: {front: {aliases: [www]}}
    extra_hosts: ["h:127.0.0.1"]
    ulimits: {nofile: {soft: 100, hard: 200}}
    ports: ["127.0.0.1::80", "127.0.0.1::90-91"]
    expose: ["70"]
    depends_on: [db]
    secrets: [token]
    configs: [{source: conf, target: /conf}]
    stop_grace_period: 1m
  db: {image: IMAGE, command: sleep 100, stop_signal: KILL, networks: [front], init: false}
volumes: {kept: {}}
networks: {front: {}}
secrets: {token: {file: ./app.env}}
configs: {conf: {file: ./app.env}}
"""
TWO = """
services:
  web:
    build: .
    command: sleep 100
    stop_signal: KILL
    env_file: [app.env]
    environment: {PRICE: "5$$"}
    depends_on: [api]
    ports: ["127.0.0.1:0:80"]
    volumes: ["./data:/data", "kept:/kept"]
  api:
    build: {context: ., dockerfile: api.Dockerfile, target: last, args: {A: "1"}}
    command: sleep 100
    stop_signal: KILL
  tool: {image: IMAGE, profiles: [tools], container_name: the-tool}
volumes: {kept: {}}
"""
WEB = """FROM IMAGE AS base
RUN echo hello from base
FROM base
COPY compose.yaml /x
RUN echo ready; printf 'no end'
"""
API = "FROM IMAGE AS last\nRUN echo api {0}; echo to stderr >&2\n"


def two_built_services(project: Project) -> ComposeProject:
    files = {"Dockerfile": WEB, "api.Dockerfile": API.format(project.name), "app.env": "TOKEN=1"}
    return project.write(TWO, **files)


def processes_of(name: str) -> list[str]:
    """Return the command lines of processes that work on a project or run in a build of it."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if name in line:
            lines.append(line)
    return lines


def test_the_parsed_configuration_matches_the_compose_file(
    project: Project, compose: Compose
) -> None:
    config = compose.config(two_built_services(project))
    web, api, tool = (config.services[name] for name in ("web", "api", "tool"))
    assert config.name == project.name
    assert web.image == f"{project.name}-web"
    assert web.binds == (str(project.folder / "data"),)
    assert api.build is not None
    assert (api.build.context, api.build.raw["target"]) == (str(project.folder), "last")
    assert (tool.active, tool.container_name, tool.build) == (False, "the-tool", None)
    assert sorted(config.active) == ["api", "web"]


def test_build_and_up_report_steps_output_and_states(
    project: Project, compose: Compose, containers: Containers
) -> None:
    events: list[ComposeEvent] = []
    given = two_built_services(project)
    compose.build(given, ["web", "api"], RunControl(), events.append)
    steps = [event for event in events if isinstance(event, BuildStep)]
    assert steps[-1] == BuildStep(5, 5)
    assert all(before.done <= after.done for before, after in pairwise(steps))
    printed = {event.line for event in events if isinstance(event, BuildOutput)}
    assert f"api {project.name}" in printed
    assert "to stderr" in printed

    events.clear()
    compose.up(given, RunControl(), on_event=events.append)
    states = [event for event in events if isinstance(event, ResourceState)]
    assert ResourceState(f"Container {project.name}-web-1", "Started") in states
    running = {container.service: container for container in containers.of_project(project.name)}
    assert sorted(running) == ["api", "web"]
    # A container's hash covers its env files; `config --hash` alone leaves them out.
    config = compose.config(given)
    for name, container in running.items():
        assert container.config_hash == config.services[name].config_hash
    (project.folder / "app.env").write_text("TOKEN=2")
    changed = compose.config(given).services
    assert changed["web"].config_hash != running["web"].config_hash
    assert changed["api"].config_hash == running["api"].config_hash


def test_the_configuration_hash_equals_the_one_on_containers(
    project: Project, compose: Compose
) -> None:
    running = project.up(RICH, **{"app.env": "TOKEN=a$b\n", ".env": "DEFAULT=y\n"})
    services = compose.config(project.compose_project).services
    assert {container.service: container.config_hash for container in running} == {
        name: service.config_hash for name, service in services.items()
    }


@pytest.mark.parametrize("services", [["web", "api"], ["web"]])
def test_a_failed_build_names_service_step_and_output(
    project: Project, compose: Compose, services: list[str]
) -> None:
    given = two_built_services(project)
    with (project.folder / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("RUN echo about to fail; false\n")
    with pytest.raises(ScarError) as failure:
        compose.build(given, services, RunControl())
    assert failure.value.code == "build_failed"
    assert "service 'web'" in failure.value.message
    assert "3/3] RUN echo about to fail; false" in failure.value.message
    assert "about to fail" in failure.value.lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("services: {a: {imag: x}}", "additional properties 'imag' not allowed"),
        ("services: [", "yaml: "),
        ("services: {a: {image: x, depends_on: [b]}}", "depends on undefined service"),
        ("services: {a: {image: x, env_file: none.env}}", "none.env not found"),
    ],
)
def test_an_invalid_compose_file_is_explained_in_composes_words(
    project: Project, compose: Compose, text: str, words: str
) -> None:
    with pytest.raises(ScarError) as failure:
        compose.config(project.write(text))
    assert failure.value.code == "project_invalid"
    assert words in failure.value.message


def test_a_port_in_use_is_explained_in_the_engines_words(project: Project) -> None:
    service = "{image: IMAGE, command: sleep 9, stop_signal: KILL, ports: ['127.0.0.1:%d:80']}"
    (first,) = project.up("services: {a: " + service % 0 + "}")
    taken = first.ports[0].host_port
    with pytest.raises(ScarError, match=r"port is already allocated|address already in use"):
        project.up("services: {a: " + service % 0 + ", b: " + service % taken + "}")


def test_a_build_without_an_engine_says_docker_is_unavailable(
    project: Project, tmp_path: Path
) -> None:
    gone = Compose(f"unix://{tmp_path}/none.sock")
    with pytest.raises(ScarError) as failure:
        gone.build(two_built_services(project), ["web"], RunControl())
    assert failure.value.code == "docker_unavailable"


def test_the_error_says_that_the_docker_cli_is_missing(project: Project) -> None:
    with pytest.raises(ScarError, match="docker: command not found"):
        Compose(environ={"PATH": "/nonexistent"}).config(two_built_services(project))


def test_a_compose_file_cannot_read_scars_own_settings(
    project: Project, docker: Callable[..., str]
) -> None:
    compose = Compose(environ={**os.environ, "SCAR_SECRET_KEY": "s3cret"})
    text = "services: {a: {image: IMAGE, command: ['echo', '${SCAR_SECRET_KEY:-unset}']}}"
    compose.up(project.write(text), RunControl())
    command = docker("inspect", "--format", "{{.Config.Cmd}}", project.containers()[0].id)
    assert "unset" in command


def test_containers_no_longer_in_the_file_are_kept(project: Project) -> None:
    service = "{image: IMAGE, command: sleep 9, stop_signal: KILL}"
    project.up(f"services: {{a: {service}, b: {service}}}")
    left = project.up(f"services: {{a: {service}}}", **{".env": "COMPOSE_REMOVE_ORPHANS=1\n"})
    assert [container.service for container in left] == ["a", "b"]


SLOW = "FROM IMAGE\nRUN echo {0}; sleep 300; echo {0}\n"


def slow(project: Project) -> ComposeProject:
    text = "services: {web: {build: .}}"
    return project.write(text, Dockerfile=SLOW.format(project.name))


def test_a_cancelled_build_ends_within_five_seconds(project: Project, compose: Compose) -> None:
    printed: list[str] = []
    raised: list[Stopwatch] = []

    def on_event(event: ComposeEvent) -> None:
        if isinstance(event, BuildOutput):
            printed.append(event.line)

    def check() -> None:
        if project.name in printed:
            raised.append(Stopwatch())
            raise ScarError("cancelled", "Cancelled", "")

    with pytest.raises(ScarError, match="Cancelled"):
        compose.build(slow(project), ["web"], RunControl(check), on_event)
    eventually(lambda: not processes_of(project.name), seconds=5)
    assert raised[0].seconds() < 5


def test_a_build_past_its_deadline_is_stopped(project: Project, compose: Compose) -> None:
    with pytest.raises(ScarError, match="took longer than 1 s") as failure:
        compose.build(slow(project), ["web"], RunControl(deadline=1))
    assert failure.value.code == "timeout"
    eventually(lambda: not processes_of(project.name))


KILLED = """
import os, sys
from pathlib import Path
from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.process import RunControl
lock = os.open(sys.argv[3], os.O_RDWR | os.O_CREAT)
import fcntl; fcntl.flock(lock, fcntl.LOCK_EX)
folder = Path(sys.argv[2])
project = ComposeProject(sys.argv[1], folder, (folder / "compose.yaml",))
control = RunControl(pass_fds=(lock,))
Compose().build(project, ["web"], control, lambda event: print(event, flush=True))
"""


@pytest.mark.parametrize("victim", ["worker", "supervisor"])
def test_a_killed_worker_leaves_no_process_and_no_lock(
    project: Project, tmp_path: Path, victim: str
) -> None:
    slow(project)
    lock = tmp_path / "lock"
    argv = [sys.executable, "-c", KILLED, project.name, str(project.folder), str(lock)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if "BuildOutput" in line and project.name in line:
                break
        assert any("docker-buildx" in line or "sleep 300" in line for line in
                   processes_of(project.name) + processes_of("sleep 300"))  # fmt: skip
        holder = lock.open()
        with pytest.raises(BlockingIOError):
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        killed = worker.pid if victim == "worker" else int(children[0])
        os.kill(killed, signal.SIGKILL)
        if victim == "worker":
            worker.wait()
        eventually(lambda: not processes_of(f"-p {project.name}"))
        eventually(lambda: not processes_of(f"echo {project.name}"))
        if victim == "supervisor":
            worker.wait(10)
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder.close()


def test_a_plan_has_the_variables_that_up_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config" / "cli-plugins").mkdir(parents=True)
    (tmp_path / "config" / "config.json").write_text("{}")
    config = os.environ.get("DOCKER_CONFIG", os.path.expanduser("~/.docker"))
    place = f"{config}/cli-plugins/docker-compose"
    if os.path.exists(place):
        (tmp_path / "config" / "cli-plugins" / "docker-compose").symlink_to(place)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "file").write_text("services: {web: {image: '${DOCKER_CONFIG}'}}\n")
    project = ComposeProject("none", folder, (folder / "file",))
    now, planned = Compose().config(project), Compose().config(project, home=Path("/srv/none"))
    assert now.services["web"].image == str(tmp_path / "config")
    assert planned.services["web"].image == now.services["web"].image


@pytest.mark.skipif(missing_confinement() is not None, reason="what this kernel does not have")
def test_compose_reads_no_file_of_the_host_for_a_plan(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("services: {web: {image: x, env_file: [/etc/hostname]}}\n")
    project = ComposeProject("none", tmp_path, (tmp_path / "file",))
    with pytest.raises(ScarError, match="/etc/hostname: permission denied"):
        Compose().config(project, home=Path("/srv/none"))
