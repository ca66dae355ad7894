"""The files of production as a deploy will leave them, computed before production is changed.

Compose reads files by paths relative to the project's folder. Some will be brought by the deploy,
some exist only in production, and some will be removed by the deploy; this module presents the
resulting set of files to Compose.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_config import ComposeConfig, compose_files
from workers.engine.compose_inputs import inputs_digest
from workers.engine.process import RunControl
from workers.files.failures import file_errors
from workers.files.manifest import Entry
from workers.files.undo import above
from workers.runtime.context import JobContext

_REMEMBERED = 32
_configs: dict[str, ComposeConfig] = {}
"""The results of `docker compose config`, by the digest of its inputs. Only in memory, since
they contain secrets.
"""


def drop_stale_trees(scratch: Path) -> None:
    """Delete the temporary folders that killed workers left behind."""
    for left in scratch.glob("preview-*"):
        if not Path("/proc", left.name.removeprefix("preview-")).exists():
            shutil.rmtree(left, ignore_errors=True)


@dataclass(frozen=True)
class FutureTree:
    """The files of production after a deployment: without those in `removed`, and with those in
    `brought`.

    `source` returns the path where the new content of a brought file is at present.
    """

    production: Path
    brought: Mapping[str, Entry] = field(repr=False)
    removed: Set[str] = field(repr=False)
    source: Callable[[str], Path]

    def place(self, path: str) -> Path:
        """Return the path at which the future content of `path` is at present."""
        return self.source(path) if path in self.brought else self.production / path

    def compose_files(self) -> tuple[str, ...]:
        """Return the Compose files that production will have, as paths relative to it."""
        return compose_files(self.production, self.place)

    def config_for(self, context: JobContext) -> ComposeConfig:
        """Return the Compose configuration that the job's project will have after the
        deployment.
        """
        context.folder.mkdir(parents=True, exist_ok=True)
        compose = Compose(context.settings.docker_host)
        control = RunControl(context.check, deadline=60.0)
        return self.config(compose, context.project.compose_project, context.folder, control)

    def config(
        self, compose: Compose, name: str, scratch: Path, control: RunControl
    ) -> ComposeConfig:
        """Return the Compose configuration that the project `name` will have; a temporary folder of
        links is created in `scratch`.

        The result is cached by a digest of all inputs of Compose, because asking Compose takes 0.25
        seconds, and a deploy of code rarely changes these inputs.
        """
        files = self.compose_files()
        known = (name, str(self.production), compose.version())
        key = inputs_digest(files, self.place, known)
        if key is not None and key in _configs:
            return _configs[key]
        with self._laid_out(scratch) as folder:
            project = ComposeProject(name, folder, tuple(folder / file for file in files))
            config = compose.config(project, control, self.production)
        if key is not None:
            while len(_configs) >= _REMEMBERED:
                del _configs[next(iter(_configs))]
            _configs[key] = config
        return config

    @contextmanager
    def _laid_out(self, scratch: Path) -> Iterator[Path]:
        """Provide a temporary folder of links to the files that production will have."""
        folder = scratch / f"preview-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with file_errors(str(folder)):
                self._link(folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _link(self, folder: Path) -> None:
        made = {inner for path in (*self.brought, *self.removed) for inner in above(path)} | {""}
        for inner in made:
            os.makedirs(folder / inner, exist_ok=True)
        for path, entry in self.brought.items():
            target = entry.digest if entry.kind == "link" else self.source(path)
            os.symlink(target, folder / path)
        for inner in made:
            with suppress(FileNotFoundError, NotADirectoryError):
                for name in os.listdir(self.production / inner):
                    path = f"{inner}/{name}" if inner else name
                    if path not in self.brought and path not in self.removed and path not in made:
                        os.symlink(self.production / path, folder / path)
