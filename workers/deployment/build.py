"""Builds images from files in the content store, so that a failed build has not changed
production.

An image is built under a provisional name and gets its own once the build has ended: BuildKit may
still name an image after `docker compose build` was killed, when production has long been put back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.deployment.plan import Plan
from workers.engine.base_images import base_text, may_be_base
from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_config import map_paths
from workers.engine.compose_progress import BuildOutput, BuildStep, ComposeEvent
from workers.engine.images import Images, provisional_name
from workers.engine.process import RunControl
from workers.files.content_store import ContentStore
from workers.files.durable import make_folders
from workers.runtime.context import JobContext
from workers.runtime.step_reporter import RunningStep

_BUILD_SECONDS = 3600.0


@dataclass(frozen=True)
class ImageBuild:
    """Builds and pulls the images of one deployment. `lock` is the descriptor of the project
    lock, which this job holds.
    """

    context: JobContext
    contents: ContentStore
    lock: int

    def run(self, plan: Plan, step: RunningStep) -> None:
        """Pull the images that are missing, and build those whose inputs have changed."""
        try:
            self._run(plan, self._make_tree(plan), step)
        finally:
            drop_build_tree(self.context.folder)

    def _run(self, plan: Plan, tree: Path, step: RunningStep) -> None:
        context = self.context
        control = RunControl(context.check, _BUILD_SECONDS, (self.lock,))
        on_event = self._event_reporter(step)
        compose = Compose(context.settings.docker_host)
        env_file = (tree if ".env" in plan.files else context.project.production) / ".env"
        project = ComposeProject(
            context.project.compose_project, tree, (), env_file if env_file.is_file() else None
        )
        resolved = map_paths(plan.config.resolved, self._path_in(tree))
        if plan.pull:
            compose.pull(project, resolved, plan.pull, control, on_event)
        if plan.build:
            names = self._provisional_names(plan, resolved)
            renamed = _with_images(resolved, names)
            compose.build_resolved(project, renamed, plan.build, control, on_event)
            self._name(plan, names)

    def _provisional_names(self, plan: Plan, resolved: JsonObject) -> dict[str, str]:
        """Return the names under which services are built. One that another may be built from
        keeps its own: the builder looks for that.
        """
        built = {name: s for name, s in plan.config.services.items() if s.build}
        texts = {name: base_text(resolved["services"][name]["build"]) for name in built}
        project, job = self.context.project.compose_project, self.context.request.id
        return {
            name: provisional_name(project, name, job)
            for name, service in built.items()
            if not any(
                may_be_base(service.image, text) for other, text in texts.items() if other != name
            )
        }

    def _name(self, plan: Plan, names: Mapping[str, str]) -> None:
        """Give the images that were built their own names, and remove the provisional ones."""
        images = Images(self.context.engine)
        for service in plan.build:
            if service not in names:
                continue
            id = images.id_of(names[service])
            if id is None:
                raise ScarError(
                    "build_failed",
                    f"The build of '{service}' ended without an image on the Engine",
                    "The builder has to load what it builds: `docker buildx use default` on the "
                    "worker's host, then deploy again.",
                )
            images.tag(id, plan.config.services[service].image)
        images.drop_provisional(self.context.project.compose_project)

    def _make_tree(self, plan: Plan) -> Path:
        """Create the build context: a folder of hard links to the plan's files in the content
        store.
        """
        drop_build_tree(self.context.folder)
        tree = _build_tree(self.context.folder)
        make_folders(tree)
        self.contents.link_tree(plan.files, tree)
        return tree

    def _path_in(self, tree: Path) -> Callable[[str], str]:
        """Return a function that maps a path in production to the same path in the build
        context, if it exists there.
        """
        root = str(self.context.project.production)

        def place(path: str) -> str:
            inside = path == root or path.startswith(f"{root}/")
            in_tree = f"{tree}{path.removeprefix(root)}"
            return in_tree if inside and os.path.lexists(in_tree) else path

        return place

    def _event_reporter(self, step: RunningStep) -> Callable[[ComposeEvent], None]:
        def report(event: ComposeEvent) -> None:
            if isinstance(event, BuildStep):
                step.progress(event.done, event.total, "steps")
            elif isinstance(event, BuildOutput):
                self.context.steps.output(event.line)

        return report


def drop_build_tree(folder: Path) -> None:
    """Delete the build context of a project, if there is one. `folder` is the project's in
    `SCAR_STATE_DIR`.
    """
    shutil.rmtree(_build_tree(folder), ignore_errors=True)


def _build_tree(folder: Path) -> Path:
    return folder / "build"


def _with_images(resolved: JsonObject, names: Mapping[str, str]) -> JsonObject:
    """Return a copy of a resolved configuration in which these services have other images."""
    services = resolved["services"]
    renamed = {name: {**services[name], "image": image} for name, image in names.items()}
    return {**resolved, "services": {**services, **renamed}}
