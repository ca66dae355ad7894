"""`docker compose`: the one place that builds its command line, and the one that runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from workers.engine.compose_config import ComposeConfig, moved
from workers.engine.process import Finished, Process
from workers.engine.progress import Event, Progress

JSON_PROGRESS = (2, 29)
_QUICK = 60.0
_EVERY_PROFILE = ("--profile", "*")
_LINES = 30

# What the child may know. Nothing of SCAR's own settings, and nothing that could change what a
# Compose file means: a project's variables come from its `.env`. Proxies and certificates are of
# the machine, and a pull or a build on such a machine fails without them.
_ENVIRONMENT = (
    "PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR",
    "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_FIXED = {
    "LANG": "C.UTF-8",
    "COMPOSE_MENU": "0",
    "COMPOSE_ANSI": "never",
    # A project's own `.env` could ask for it; what SCAR did not make, SCAR does not remove.
    "COMPOSE_REMOVE_ORPHANS": "0",
    # Compose's own builder, where it still has one: a Bake of its own for each build takes up to
    # half a second longer, and its steps do not say whose they are.
    "COMPOSE_BAKE": "false",
}


def no_check() -> None:
    """For those who cannot be called off."""


def ignore(_event: Event) -> None:
    """For those who do not watch."""


@dataclass(frozen=True)
class ComposeProject:
    """What names a project to Compose. `folder` is what relative paths are relative to, and the
    home of its `.env` unless `env_file` gives another.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    env_file: Path | None = None


@dataclass(frozen=True)
class Watch:
    """How a running command is watched: `events` is told what happens, `check` is called at least
    five times a second and may raise to call it off, `deadline` is in seconds. The open files
    `pass_fds` (a lock) stay open in the command.
    """

    events: Callable[[Event], None] = ignore
    check: Callable[[], None] = no_check
    deadline: float = 3600.0
    pass_fds: tuple[int, ...] = ()


class Compose:
    """Runs Compose against the Engine at `docker_host`, or at the one the environment names."""

    def __init__(
        self, docker_host: str | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._env = {key: environ[key] for key in _ENVIRONMENT if key in environ} | _FIXED
        if docker_host:
            self._env["DOCKER_HOST"] = docker_host
            self._env.pop("DOCKER_CONTEXT", None)

    def version(self) -> tuple[int, ...]:
        """Compose's version, such as (2, 40, 3)."""
        return _version(tuple(sorted(self._env.items())))

    def config(
        self, project: ComposeProject, watch: Watch | None = None, home: Path | None = None
    ) -> ComposeConfig:
        """The project's services, those of every profile; `project_invalid` in Compose's words.

        `home` is where the content of the project's folder is going to be: every path in it is
        told, and goes into the hashes, as if it were there already.
        """
        watch = watch or Watch(deadline=_QUICK)
        found = json.loads(
            self._read(project, [*_EVERY_PROFILE, "config", "--format", "json"], watch)
        )
        active = found.get("services") or {}
        if any(service.get("profiles") for service in active.values()):
            active = self._read(project, ["config", "--services"], watch).split()
        if home is not None:
            found = moved(found, lambda path: _below(path, project.folder, home))
        hashes = self._hashes(project, found, watch)
        return ComposeConfig.parse(found, hashes, frozenset(active))

    def _hashes(
        self, project: ComposeProject, resolved: Mapping[str, Any], watch: Watch
    ) -> dict[str, str]:
        """`config --hash` leaves env files out of the hash, while containers have them in it
        (docker/compose #14001). So it is asked about the resolved configuration, which has taken
        them in.
        """
        verb = [*_EVERY_PROFILE, "config", "--hash", "*"]
        with _held(resolved) as (file, handle):
            same = replace(project, files=(file,), env_file=Path(os.devnull))
            fds = (*watch.pass_fds, handle)
            said = self._read(same, verb, replace(watch, pass_fds=fds))
        return dict(line.split()[:2] for line in said.splitlines() if line)

    def build_resolved(
        self,
        project: ComposeProject,
        resolved: Mapping[str, Any],
        services: Sequence[str],
        watch: Watch,
    ) -> None:
        """The same as `build`, from a configuration that was resolved already."""
        with _held(resolved) as (file, handle):
            fds = (*watch.pass_fds, handle)
            self.build(replace(project, files=(file,)), services, replace(watch, pass_fds=fds))

    def build(self, project: ComposeProject, services: Sequence[str], watch: Watch) -> None:
        """Builds the images of `services`; `build_failed` names the service and the step."""
        finished, progress = self._report(project, ["build", *services], watch)
        if finished.code != 0:
            raise _build_failed(finished, progress, services)

    def pull(
        self,
        project: ComposeProject,
        resolved: Mapping[str, Any],
        services: Sequence[str],
        watch: Watch,
    ) -> None:
        """Fetches the images of `services`, as far as they are missing."""
        verb = ["pull", "--policy", "missing", "--quiet", *services]
        with _held(resolved) as (file, handle):
            held = replace(project, files=(file,))
            fds = (*watch.pass_fds, handle)
            finished, progress = self._report(held, verb, replace(watch, pass_fds=fds))
        if finished.code != 0:
            raise _failed("pull", finished, progress)

    def up(
        self,
        project: ComposeProject,
        watch: Watch,
        services: Sequence[str] = (),
        *,
        recreate: bool = False,
        dependencies: bool = True,
    ) -> None:
        """Creates, recreates and starts what differs from the file; never builds, pulls nothing
        that is there, and never removes a container, network or volume that is not in the file.
        """
        options = ["-d", "--no-build", "--quiet-pull"]
        options += ["--force-recreate"] if recreate else []
        options += [] if dependencies else ["--no-deps"]
        finished, progress = self._report(project, ["up", *options, *services], watch)
        if finished.code != 0:
            raise _failed("up", finished, progress)

    def _report(
        self, project: ComposeProject, verb: Sequence[str], watch: Watch
    ) -> tuple[Finished, Progress]:
        kind = "json" if self.version() >= JSON_PROGRESS else "plain"
        progress = Progress()

        def told(line: str) -> None:
            for event in progress.feed(line):
                watch.events(event)

        argv = _argv(project, ["--progress", kind, "--ansi", "never"], verb)
        finished = self._run(argv, project.folder, watch, told, told)
        for event in progress.end():
            watch.events(event)
        return finished, progress

    def _read(self, project: ComposeProject, verb: Sequence[str], watch: Watch) -> str:
        said: list[str] = []
        words: list[str] = []
        argv = _argv(project, ["--ansi", "never"], verb)
        finished = self._run(argv, project.folder, watch, said.append, words.append)
        if finished.code != 0:
            raise _invalid(words or said, project)
        return "\n".join(said)

    def _run(
        self,
        argv: Sequence[str],
        folder: Path,
        watch: Watch,
        stdout: Callable[[str], None],
        stderr: Callable[[str], None],
    ) -> Finished:
        docker = _docker(self._env)
        try:
            process = Process(
                [docker, "compose", *argv], cwd=folder, env=self._env, pass_fds=watch.pass_fds
            )
        except (FileNotFoundError, NotADirectoryError) as missing:
            raise ScarError(
                "project_invalid", f"{folder} is not a folder", "Create it, or correct its path."
            ) from missing
        return process.run(deadline=watch.deadline, check=watch.check, stdout=stdout, stderr=stderr)


@contextmanager
def _held(resolved: Mapping[str, Any]) -> Iterator[tuple[Path, int]]:
    """The configuration as an open file that is on no disk: it holds secrets."""
    with os.fdopen(os.memfd_create("compose"), "wb") as held:
        held.write(json.dumps(resolved).encode())
        held.flush()
        yield Path(f"/proc/self/fd/{held.fileno()}"), held.fileno()


def _below(path: str, folder: Path, home: Path) -> str:
    inside = path == str(folder) or path.startswith(f"{folder}/")
    return f"{home}{path.removeprefix(str(folder))}" if inside else path


def _argv(project: ComposeProject, options: Sequence[str], verb: Sequence[str]) -> list[str]:
    argv = [*options, "-p", project.name, "--project-directory", str(project.folder)]
    for file in project.files:
        argv += ["-f", str(file)]
    if project.env_file is not None:
        argv += ["--env-file", str(project.env_file)]
    return [*argv, *verb]


def _docker(env: Mapping[str, str]) -> str:
    found = shutil.which("docker", path=env.get("PATH"))
    if found is None:
        raise ScarError(
            "docker_unavailable",
            "docker: command not found",
            "Install the Docker CLI with its Compose plugin where the worker runs "
            "(SCAR's own image has both), then restart SCAR.",
        )
    return found


@cache
def _version(env: tuple[tuple[str, str], ...]) -> tuple[int, ...]:
    said: list[str] = []
    known = dict(env)
    argv = [_docker(known), "compose", "version", "--short"]
    finished = Process(argv, cwd=Path("/"), env=known).run(
        deadline=_QUICK, check=no_check, stdout=said.append, stderr=said.append
    )
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", " ".join(said))
    if finished.code != 0 or not found:
        raise ScarError(
            "docker_unavailable",
            "docker compose: command not found",
            "Install Docker's Compose plugin where the worker runs, then restart SCAR.",
            lines=tuple(said[-5:]),
        )
    return tuple(int(part or 0) for part in found.groups())


def _failed(verb: str, finished: Finished, progress: Progress) -> ScarError:
    """A failure in the words of Compose or the Engine."""
    words = _last_words(progress.errors or list(finished.tail))
    if unavailable := _engine_gone(words):
        return unavailable
    hint = "The words are the Engine's. Correct the Compose file or free what it names, then retry."
    return ScarError("internal", f"`docker compose {verb}` failed: {words}", hint)


def _build_failed(finished: Finished, progress: Progress, services: Sequence[str]) -> ScarError:
    """The failed step and its last output, with the service that was being built."""
    told = progress.errors or list(finished.tail)
    words = _last_words(told)
    if unavailable := _engine_gone(words):
        return unavailable
    lines = tuple(progress.output[-_LINES:]) or tuple(told[-_LINES:])
    failed = progress.failed
    target = re.search(r"target ([^:\s]+): ", words)
    named = [target[1] if target else "", failed.service if failed else "", *services[:1]]
    # A single service's steps carry its stages' names only.
    service = next((name for name in named if name in services), "")
    of = f" of service '{service}'" if service else ""
    what = f" at step {failed.step}: {failed.reason}" if failed else f": {words}"
    return ScarError(
        "build_failed",
        f"The build{of} failed{what}",
        "The lines are what the build printed last. Correct the Dockerfile or what it copies.",
        lines=lines,
    )


def _invalid(said: Sequence[str], project: ComposeProject) -> ScarError:
    words = _last_words([_unwrapped(line) for line in said])
    if unavailable := _engine_gone(words):
        return unavailable
    files = ", ".join(str(file) for file in project.files)
    hint = f"Correct {files or project.folder}; `docker compose config -q` there checks it."
    return ScarError("project_invalid", f"Compose does not accept the project: {words}", hint)


def _unwrapped(line: str) -> str:
    """The message in `time="..." level=warning msg="..."`; other lines as they are."""
    found = re.fullmatch(r'time=\S+ level=\w+ msg="(.*)"', line)
    return found[1] if found else line


def _last_words(said: Sequence[str]) -> str:
    """The last line that says something; an error of several lines ends with what matters."""
    lines = [line.strip() for text in said for line in text.splitlines() if line.strip()]
    return lines[-1][:1000] if lines else "it gave no reason"


def _engine_gone(words: str) -> ScarError | None:
    if "permission denied" in words and "docker" in words and "socket" in words:
        return ScarError(
            "docker_permission_denied",
            "Permission denied accessing the Docker socket",
            "Give the worker the group of the socket (`group_add` in docker-compose.yml).",
        )
    if "Cannot connect to the Docker daemon" in words or "error during connect" in words:
        return ScarError(
            "docker_unavailable",
            words,
            "Start Docker on the host (`systemctl start docker`), then try again.",
        )
    return None
