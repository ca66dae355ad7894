"""Runs `docker compose config`, `build`, `pull` and `up`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.engine.compose_command import (
    QUICK_SECONDS,
    ComposeProject,
    compose_argv,
    compose_environment,
    compose_program,
    compose_version,
)
from workers.engine.compose_config import ComposeConfig, map_paths
from workers.engine.compose_errors import build_failed, command_failed, project_refused
from workers.engine.compose_progress import ComposeEvent, ProgressParser
from workers.engine.process import Process, ProcessResult, RunControl

OnEvent = Callable[[ComposeEvent], None]
"""A function that receives each event of a running command, in the thread that runs the command."""

_JSON_PROGRESS = (2, 29)
_EVERY_PROFILE = ("--profile", "*")


def ignore_event(_event: ComposeEvent) -> None:
    """Ignore an event."""


class Compose:
    """Compose against the Engine at `docker_host`, or at the one that `environ` names.

    With `remote`, Compose may fetch files from other hosts.
    """

    def __init__(
        self,
        docker_host: str | None = None,
        environ: Mapping[str, str] = os.environ,
        *,
        remote: bool = False,
    ) -> None:
        self._env = compose_environment(docker_host, environ, remote=remote)
        self._remote = remote

    def version(self) -> tuple[int, ...]:
        """Return Compose's version, such as (2, 40, 3)."""
        return compose_version(self._env)

    def config(
        self,
        project: ComposeProject,
        control: RunControl | None = None,
        home: Path | None = None,
    ) -> ComposeConfig:
        """Return the configuration of all services, of every profile; raise `project_invalid`.

        `home` is the folder in which the project's files will be later: the paths in the result and
        in the configuration hashes are as if the files were there already. Nobody has confirmed
        these files yet, so Compose is confined to reading `project.folder`, and has no network
        unless it may fetch files from other hosts.
        """
        control = control or RunControl(deadline=QUICK_SECONDS)
        if home is not None and not self._remote:
            control = replace(control, reads=(str(project.folder),))
        verb = [*_EVERY_PROFILE, "config", "--format", "json"]
        resolved = json.loads(self._read(project, verb, control))
        active = resolved.get("services") or {}
        if any(service.get("profiles") for service in active.values()):
            active = self._read(project, ["config", "--services"], control).split()
        if home is not None:
            resolved = map_paths(resolved, lambda path: _below(path, project.folder, home))
        hashes = self._hashes(project, resolved, control)
        return ComposeConfig.parse(resolved, hashes, frozenset(active))

    def _hashes(
        self, project: ComposeProject, resolved: JsonObject, control: RunControl
    ) -> dict[str, str]:
        """Return the configuration hash of each service, which Compose also writes to the
        containers' labels.

        `config --hash` ignores the content of env files, but the labels of containers do not
        (docker/compose #14001). The hashes are therefore computed from the resolved configuration,
        which includes that content.
        """
        verb = [*_EVERY_PROFILE, "config", "--hash", "*"]
        with _from_memory(project, resolved, control) as (in_memory, holding):
            output = self._read(replace(in_memory, env_file=Path(os.devnull)), verb, holding)
        return dict(line.split()[:2] for line in output.splitlines() if line)

    def build_resolved(
        self,
        project: ComposeProject,
        resolved: JsonObject,
        services: Sequence[str],
        control: RunControl,
        on_event: OnEvent = ignore_event,
    ) -> None:
        """Build images like `build`, but from a resolved configuration instead of the project's
        files.
        """
        with _from_memory(project, resolved, control) as (in_memory, holding):
            self.build(in_memory, services, holding, on_event)

    def build(
        self,
        project: ComposeProject,
        services: Sequence[str],
        control: RunControl,
        on_event: OnEvent = ignore_event,
    ) -> None:
        """Build the images of `services`; raise `build_failed`, which names the service and the
        failed step.
        """
        result, progress = self._change(project, ["build", *services], control, on_event)
        if result.code != 0:
            raise build_failed(result, progress, services)

    def pull(
        self,
        project: ComposeProject,
        resolved: JsonObject,
        services: Sequence[str],
        control: RunControl,
        on_event: OnEvent = ignore_event,
    ) -> None:
        """Pull those images of `services` that the Engine does not have."""
        verb = ["pull", "--policy", "missing", "--quiet", *services]
        with _from_memory(project, resolved, control) as (in_memory, holding):
            result, progress = self._change(in_memory, verb, holding, on_event)
        if result.code != 0:
            raise command_failed("pull", result, progress)

    def up(
        self,
        project: ComposeProject,
        control: RunControl,
        services: Sequence[str] = (),
        *,
        dependencies: bool = True,
        through: str | None = None,
        on_event: OnEvent = ignore_event,
    ) -> None:
        """Create, recreate and start containers that differ from the Compose configuration.

        Builds no image, pulls only missing ones, and removes no container, network or volume that
        the configuration does not define. `through` is another address of the same Engine.
        """
        options = ["-d", "--no-build", "--quiet-pull"]
        options += [] if dependencies else ["--no-deps"]
        verb = ["up", *options, *services]
        result, progress = self._change(project, verb, control, on_event, through)
        if result.code != 0:
            raise command_failed("up", result, progress)

    def run_detached(
        self,
        project: ComposeProject,
        resolved: JsonObject,
        service: str,
        control: RunControl,
        *,
        name: str,
        label: str,
    ) -> None:
        """Start an additional one-off container of a service, which `up` and `ps` ignore. It is
        created from a resolved configuration, with the service's aliases and published ports;
        dependencies are not started.
        """
        options = ["-d", "-T", "--no-deps", "--service-ports", "--use-aliases"]
        verb = ["run", *options, "--name", name, "--label", label, service]
        with _from_memory(project, resolved, control) as (in_memory, holding):
            in_memory = replace(in_memory, env_file=Path(os.devnull))
            result, progress = self._change(in_memory, verb, holding, ignore_event)
        if result.code != 0:
            raise command_failed("run", result, progress)

    def _change(
        self,
        project: ComposeProject,
        verb: Sequence[str],
        control: RunControl,
        on_event: OnEvent,
        through: str | None = None,
    ) -> tuple[ProcessResult, ProgressParser]:
        kind = "json" if self.version() >= _JSON_PROGRESS else "plain"
        progress = ProgressParser()

        def parse(line: str) -> None:
            for event in progress.feed(line):
                on_event(event)

        argv = compose_argv(project, ["--progress", kind, "--ansi", "never"], verb)
        result = self._run(argv, project.folder, control, parse, parse, through)
        for event in progress.end(succeeded=result.code == 0):
            on_event(event)
        return result, progress

    def _read(self, project: ComposeProject, verb: Sequence[str], control: RunControl) -> str:
        output: list[str] = []
        errors: list[str] = []
        argv = compose_argv(project, ["--ansi", "never"], verb)
        result = self._run(argv, project.folder, control, output.append, errors.append)
        if result.code != 0:
            raise project_refused(errors or output, project)
        return "\n".join(output)

    def _run(
        self,
        argv: Sequence[str],
        folder: Path,
        control: RunControl,
        stdout: Callable[[str], None],
        stderr: Callable[[str], None],
        through: str | None = None,
    ) -> ProcessResult:
        program, more = compose_program(self._env)
        if not more:
            control = replace(control, reads=None)  # the CLI searches for the plugin
        elif control.reads is not None:
            # Compose warns that it cannot read the CLI's configuration. The variable that would
            # prevent this is not set, since a Compose file may use it.
            program.insert(1, "--config=/nonexistent")
        try:
            process = Process(
                [*program, *argv],
                cwd=folder,
                env=self._env | more | ({"DOCKER_HOST": through} if through else {}),
                control=control,
                name="docker compose",
            )
        except (FileNotFoundError, NotADirectoryError) as missing:
            raise ScarError(
                "project_invalid", f"{folder} is not a folder", "Create it, or correct its path."
            ) from missing
        return process.run(stdout=stdout, stderr=stderr)


@contextmanager
def _from_memory(
    project: ComposeProject, resolved: JsonObject, control: RunControl
) -> Iterator[tuple[ComposeProject, RunControl]]:
    """Pass a resolved configuration to Compose as an open in-memory file.

    It contains secrets and must never be written to disk. In the result, the project has this file
    as its only Compose file, and the control passes the file's descriptor on.
    """
    with os.fdopen(os.memfd_create("compose"), "wb") as file:
        file.write(json.dumps(resolved).encode())
        file.flush()
        descriptor = file.fileno()
        in_memory = replace(project, files=(Path(f"/proc/self/fd/{descriptor}"),))
        yield in_memory, replace(control, pass_fds=(*control.pass_fds, descriptor))


def _below(path: str, folder: Path, home: Path) -> str:
    """Return `path` moved from `folder` to `home`; return a path outside `folder` unchanged."""
    inside = path == str(folder) or path.startswith(f"{folder}/")
    return f"{home}{path.removeprefix(str(folder))}" if inside else path
