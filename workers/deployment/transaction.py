"""The deploy itself: each effect journalled before it is made, and made so that it can be undone.

Order: new and old contents into the store, images built from there (a build that fails has touched
nothing in production), then files, containers, health, and the release as the point of no return.
What `put_back` does depends on the journal alone, so it does the same after a kill.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.deployment.compensation import Compensation, standing
from workers.deployment.plan import Plan, indexes_path
from workers.deployment.production import Production
from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_config import map_paths
from workers.engine.compose_progress import BuildOutput, BuildStep, ComposeEvent
from workers.engine.container import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.images import Images
from workers.engine.process import RunControl
from workers.files.apply import apply, stage
from workers.files.content_store import ContentStore
from workers.files.undo import Undo
from workers.runtime.context import JobContext, StepInHand
from workers.state.downtime_history import DowntimeHistory
from workers.state.journal import ENDED, Journal
from workers.state.releases import Release, ReleasedService, Releases

_BUILD_SECONDS = 3600.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Transaction:
    """One deploy of one project. `lock` is the descriptor of the held project lock."""

    context: JobContext
    journal: Journal
    lock: int

    @property
    def objects(self) -> ContentStore:
        """The project's store of contents."""
        return ContentStore(self.context.folder / "objects")

    @property
    def production(self) -> Production:
        """What runs."""
        return Production(self.context, self.lock)

    @property
    def release(self) -> Release | None:
        """The release that the journal's job recorded: there is one from the point of no return
        on."""
        releases = Releases(self.context.folder)
        job = str(self.journal.job)
        return releases.get(job) if job in releases.ids() else None

    @property
    def _undo_path(self) -> Path:
        return self.context.folder / "undo.json"

    def copy(self, plan: Plan, step: StepInHand) -> Undo:
        """Takes new and old contents into the store, and notes how to undo. Touches nothing."""
        context = self.context
        undo = Undo.of(context.request.id, str(context.project.production), plan.changes)
        stage(str(context.project.workspace), undo.root, undo, self.objects, context.check)
        self._store(plan)
        undo.save(self._undo_path)
        self.journal.write("staged")
        total = len(plan.changes.after)
        step.progress(total, total, "files")
        return undo

    def name_images(self, plan: Plan) -> None:
        """Gives images that were kept the names they had in the release that comes back."""
        self._note_images({name: reference for name, (reference, _) in plan.tags.items()})
        for reference, id in plan.tags.values():
            self.context.check()
            Images(self.context.engine).tag(id, reference)

    def _note_images(self, references: Mapping[str, str]) -> None:
        """Journals what the names stand for, by service, and keeps those images from pruning."""
        images = Images(self.context.engine)
        noted = self.journal.find("building") or {"images": {}}
        before = {name: [image, images.id_of(image)] for name, image in references.items()}
        for name, (_, id) in before.items():
            if id:
                project = self.context.project.compose_project
                images.pin(project, name, f"before-{self.context.request.id}", id)
        self.journal.write("building", {"images": {**before, **noted["images"]}})

    def build(self, plan: Plan, step: StepInHand) -> None:
        """Builds the images that need it, from the store, and fetches those that are missing."""
        context = self.context
        self._note_images({n: plan.config.services[n].image for n in (*plan.build, *plan.pull)})
        control = RunControl(context.check, _BUILD_SECONDS, (self.lock,))
        on_event = self._build_teller(step)
        compose = Compose(context.settings.docker_host)
        tree = self._build_tree(plan)
        env_file = (tree if ".env" in plan.files else context.project.production) / ".env"
        project = ComposeProject(
            context.project.compose_project, tree, (), env_file if env_file.is_file() else None
        )
        resolved = map_paths(plan.config.resolved, self._in_build_tree(tree))
        if plan.pull:
            compose.pull(project, resolved, plan.pull, control, on_event)
        if plan.build:
            compose.build_resolved(project, resolved, plan.build, control, on_event)
        self._drop_build_tree()
        self.journal.write("built")

    def _in_build_tree(self, tree: Path) -> Callable[[str], str]:
        """A path of production as one of what was brought, wherever that has it."""
        root = str(self.context.project.production)

        def place(path: str) -> str:
            inside = path == root or path.startswith(f"{root}/")
            brought = f"{tree}{path.removeprefix(root)}"
            return brought if inside and os.path.lexists(brought) else path

        return place

    def _build_tree(self, plan: Plan) -> Path:
        """The workspace as a tree of links into the store: what the build reads."""
        tree = self.context.folder / "build"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        self.objects.link_tree(plan.files, tree)
        return tree

    def _store(self, plan: Plan) -> None:
        """Takes in what no earlier release brought: a release is kept whole."""
        known = plan.last.contents if plan.last else {}
        project = self.context.project
        folders = (project.workspace, plan.files), (project.production, plan.relied_on)
        for folder, manifest in folders:
            for path, entry in manifest.items():
                if not entry.same_content(known.get(path)):
                    self.context.check()
                    self.objects.put(f"{folder}/{path}", entry)

    def _drop_build_tree(self) -> None:
        shutil.rmtree(self.context.folder / "build", ignore_errors=True)

    def _build_teller(self, step: StepInHand) -> Callable[[ComposeEvent], None]:
        def told(event: ComposeEvent) -> None:
            if isinstance(event, BuildStep):
                step.progress(event.done, event.total, "steps")
            elif isinstance(event, BuildOutput):
                self.context.output(event.line)

        return told

    def put_in_place(self, plan: Plan, undo: Undo) -> None:
        """Brings the files, then the containers, to the new release."""
        context = self.context
        running = [c.id for c in self.production.containers() if c.state == "running"]
        self.journal.write("applying", {"running": running})
        apply(undo, self.objects, plan.production_index, _untold, context.check)
        try:
            plan.production_index.save(indexes_path(context)[1])
            plan.workspace_index.save(indexes_path(context)[0])
        except ScarError as error:
            _log.warning("index not kept: the next look takes longer", reason=error.message)
        before = standing(self.production, plan.config)
        self.journal.write("starting", {**before, "mounted": list(plan.mounted)})
        self.production.up(context.check)
        self.production.restart_mounted(before["containers"], plan.mounted)

    def verify(self, plan: Plan) -> list[Container]:
        """Waits until every container of the file is well and stays so; they are what is
        released. Orphans are none of its business."""
        context = self.context
        services = plan.config.active
        self.production.wait(
            services, stable_seconds=context.settings.stable_seconds, check=context.check
        )
        return [c for c in self.production.containers() if c.service in services]

    def commit(
        self, plan: Plan, containers: list[Container], probe: DowntimeProbe, begun: float
    ) -> Release:
        """Records the release: the point from which production stays as it is now."""
        context = self.context
        images = Images(context.engine)
        request = context.request
        by_service = {c.service: c for c in reversed(containers)}
        services = {
            name: ReleasedService(
                image=container.image,
                image_id=container.image_id,
                build=plan.builds.get(name),
                config_hash=container.config_hash,
            )
            for name, container in by_service.items()
        }
        for name, service in services.items():
            if service.image_id:
                images.pin(context.project.compose_project, name, request.id, service.image_id)
        downtime = probe.result().seconds
        release = Release(
            id=request.id,
            at=int(context.wall() * 1000),
            by=f"{request.requested_by.name} ({request.requested_by.frontend})",
            commit=plan.commit,
            dirty=plan.dirty,
            seconds=round(time.monotonic() - begun, 2),
            downtime=downtime,
            restored=plan.restores,
            services=services,
            files=plan.files,
            relied_on=plan.relied_on,
        )
        Releases(context.folder).save(release)
        self.journal.write("committed")
        if downtime is not None:
            DowntimeHistory(context.folder).add(request.kind, downtime)
        return release

    def end(self) -> None:
        """Gives back what nobody needs any more; the transaction is over."""
        context = self.context
        releases = Releases(context.folder)
        images = Images(context.engine)
        name = context.project.compose_project
        for gone in releases.drop_beyond(context.project.keep_releases):
            images.unpin(name, gone)
        images.unpin(name, f"before-{self.journal.job}")
        keep = [releases.get(id).contents for id in releases.ids()]
        undo = Undo.load(self._undo_path)
        if undo:
            # What the last change replaced stays until the next one: a hand-made file among it.
            keep.append({path: entry for path, entry in undo.before.items() if entry})
        self.objects.sweep(keep)
        self._drop_build_tree()
        self.journal.write(ENDED)

    def put_back(self) -> None:
        """Undoes whatever the journal says was begun; see `Compensation`."""
        self._drop_build_tree()
        undo = Undo.load(self._undo_path) if self.journal.find("applying") else None
        Compensation(self.context, self.journal, self.production, self.objects).put_back(undo)


def _untold(_done: int, _total: int) -> None:
    """For what shows no progress of its own."""
