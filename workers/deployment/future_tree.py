"""The files of production as a deploy will leave them, computed before production is changed.

Compose reads files by paths relative to the project's folder. After a deploy, these are files that
the deploy brings and files that only production has, without those that are removed. Compose gets
copies of the files that it may read, and nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workers.deployment.reading import read_from
from workers.engine.compose import Compose
from workers.engine.compose_command import RESERVED, ComposeProject
from workers.engine.compose_config import ComposeConfig, compose_files
from workers.engine.compose_sources import (
    ComposeSources,
    ProjectRules,
    compose_sources,
    leads_outside,
)
from workers.engine.process import RunControl
from workers.files.failures import file_errors
from workers.files.manifest import Entry
from workers.files.tree import Tree
from workers.runtime.context import JobContext

_REMEMBERED = 32
_LINKS = 40
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

    `contents` returns the content of a file that is brought. `workspace` is where links with an
    absolute target may lead besides production.
    """

    production: Path
    brought: Mapping[str, Entry] = field(repr=False)
    removed: Set[str] = field(repr=False)
    contents: Callable[[str, Entry], bytes]
    workspace: Path | None = None

    @property
    def _roots(self) -> tuple[str, ...]:
        return tuple(str(root) for root in (self.production, self.workspace) if root is not None)

    def locate(self, path: str) -> str:
        """Return the path with links resolved; raise `project_invalid` for a link that leads out of
        the two folders.
        """
        at: list[str] = []
        names = path.split("/")[::-1]
        followed = 0
        while names:
            name = names.pop()
            if name == ".." and at:
                at.pop()
            elif name == "..":
                raise leads_outside(path, path)
            elif name not in ("", "."):
                at.append(name)
                target = self._link_at("/".join(at))
                if target is not None:
                    followed += 1
                    if followed > _LINKS:
                        raise leads_outside(path, target)
                    at = [] if target.startswith("/") else at[:-1]
                    names += self._relative(path, target).split("/")[::-1]
        return "/".join(at)

    def _relative(self, path: str, target: str) -> str:
        """Return a link's target, relative to the tree if it is absolute."""
        if not target.startswith("/"):
            return target
        for root in self._roots:
            if target == root or target.startswith(f"{root}/"):
                return target.removeprefix(root)
        raise leads_outside(path, target)

    def _link_at(self, path: str) -> str | None:
        """Return the target of the link at a path, None where there is none."""
        entry = self.brought.get(path)
        if entry is not None or path in self.removed:
            return entry.digest if entry is not None and entry.kind == "link" else None
        try:
            with Tree(str(self.production)) as tree:
                folder, name = tree.split(path)
                return os.readlink(name, dir_fd=folder)
        except OSError:
            return None  # not a link, or missing

    def read(self, path: str) -> bytes | None:
        """Return the content that a path will have, None if it will not exist. Links are followed
        within the two folders; `project_invalid` is raised for one that leads out of them.
        """
        place = self.locate(path)
        entry = self.brought.get(place)
        if entry is not None:
            return self.contents(place, entry)
        if place in self.removed or not self.production.is_dir():
            return None
        return read_from(str(self.production), place)

    def compose_files(self) -> tuple[str, ...]:
        """Return the Compose files that production will have, relative to it."""
        return compose_files(self.production, self.read)

    def config_for(self, context: JobContext) -> ComposeConfig:
        """Return the Compose configuration that the job's project will have after the
        deployment.
        """
        context.folder.mkdir(parents=True, exist_ok=True)
        remote = context.project.remote_includes
        compose = Compose(context.settings.docker_host, remote=remote)
        control = RunControl(context.check, deadline=60.0)
        name = context.project.compose_project
        return self.config(compose, name, context.folder, control, remote=remote)

    def config(
        self, compose: Compose, name: str, scratch: Path, control: RunControl, *, remote: bool
    ) -> ComposeConfig:
        """Return the configuration of the project `name` after the deployment. Creates a temporary
        folder in `scratch`.

        Raises `project_invalid` if it names files outside of the two folders, or without `remote`
        files of another host. The result is cached by the content of everything that Compose reads:
        running Compose takes a quarter of a second, and a deploy of code rarely changes these
        files.
        """
        files = self.compose_files()
        sources = compose_sources(files, self, ProjectRules(self._roots, remote, RESERVED))
        key = sources.digest((files, name, str(self.production), compose.version()))
        if key is not None and key in _configs:
            return _configs[key]
        with _laid_out(scratch, sources) as folder:
            project = ComposeProject(name, folder, tuple(folder / file for file in files))
            config = compose.config(project, control, self.production)
        if key is not None:
            while len(_configs) >= _REMEMBERED:
                del _configs[next(iter(_configs))]
            _configs[key] = config
        return config


@contextmanager
def _laid_out(scratch: Path, sources: ComposeSources) -> Iterator[Path]:
    """Create a temporary folder with copies of exactly the files that were checked.

    Compose does not read the workspace itself, where a file could be replaced by a link after the
    check.
    """
    folder = scratch / f"preview-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with file_errors(str(folder)):
            folder.mkdir(mode=0o700)
            for path, content in sources.contents.items():
                if content is not None:
                    place = folder / path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
