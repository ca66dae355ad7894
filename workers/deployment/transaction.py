"""The deploy itself: each effect journalled before it is made, and made so that it can be undone.

Order: new and old contents into the store, images built from there (a build that fails has touched
nothing in production), then files, containers, health, and the release as the point of no return.
What `put_back` does depends on the journal alone, so it does the same after a kill.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.errors import NotFound

from scar.errors import ScarError
from workers.deployment.plan import DeployPlan, compose_project, indexes_path
from workers.downtimes import Downtimes
from workers.engine.compose import Compose, ComposeProject, Watch
from workers.engine.compose_config import compose_files
from workers.engine.containers import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.health import Health
from workers.engine.images import Images
from workers.engine.logs import Logs
from workers.engine.progress import BuildOutput, BuildStep, Event
from workers.engine.restart import restart
from workers.files.apply import apply, revert, stage
from workers.files.index import StatIndex
from workers.files.objects import Objects
from workers.files.undo import Undo
from workers.journal import ENDED, Journal
from workers.releases import Release, ReleasedService, Releases
from workers.work import StepInHand, Task

_TRIES = 3
_BUILD_SECONDS = 3600.0


@dataclass(frozen=True)
class Transaction:
    """One deploy of one project. `lock` is the descriptor of the held project lock."""

    task: Task
    journal: Journal
    lock: int

    @property
    def objects(self) -> Objects:
        """The project's store of contents."""
        return Objects(self.task.folder / "objects")

    @property
    def _undo_path(self) -> Path:
        return self.task.folder / "undo.json"

    def copy(self, plan: DeployPlan, step: StepInHand) -> Undo:
        """Takes new and old contents into the store, and notes how to undo. Touches nothing."""
        task = self.task
        undo = Undo.of(task.request.id, str(task.project.production), plan.changes)
        stage(str(task.project.workspace), undo.root, undo, self.objects, task.check)
        self._store(plan)
        undo.save(self._undo_path)
        self.journal.write("staged")
        total = len(plan.changes.after)
        step.progress(total, total, "files")
        return undo

    def build(self, plan: DeployPlan, step: StepInHand) -> None:
        """Builds the images that need it, from the store."""
        task = self.task
        images = Images(task.engine)
        before = {
            name: [service.image, images.id_of(service.image)]
            for name, service in (plan.config.services if plan.config else {}).items()
            if name in plan.build
        }
        for name, (_, id) in before.items():
            if id:
                # Kept by a name of its own, so that no prune takes it before it is needed again.
                images.pin(task.project.compose_project, name, f"before-{task.request.id}", id)
        self.journal.write("building", {"images": before})
        tree = self._build_tree(plan)
        compose = Compose(task.settings.docker_host)
        project = ComposeProject(
            task.project.compose_project,
            tree,
            compose_files(tree),
            compose_project(task, tree, ()).env_file,
        )
        watch = self._watch(self._build_teller(step), _BUILD_SECONDS)
        compose.build(project, plan.build, watch)
        self._drop_build_tree()
        self.journal.write("built")

    def _build_tree(self, plan: DeployPlan) -> Path:
        """The workspace as a tree of links into the store: what the build reads."""
        tree = self.task.folder / "build"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        self.objects.link_tree(plan.workspace, tree)
        return tree

    def _store(self, plan: DeployPlan) -> None:
        """Takes in what no earlier release brought: a release is kept whole."""
        known = plan.last.files if plan.last else {}
        objects = self.objects
        for path, entry in plan.workspace.items():
            if not entry.same_content(known.get(path)):
                self.task.check()
                objects.put(f"{self.task.project.workspace}/{path}", entry)

    def _drop_build_tree(self) -> None:
        shutil.rmtree(self.task.folder / "build", ignore_errors=True)

    def _build_teller(self, step: StepInHand) -> Callable[[Event], None]:
        def told(event: Event) -> None:
            if isinstance(event, BuildStep):
                step.progress(event.done, event.total, "steps")
            elif isinstance(event, BuildOutput):
                self.task.output(event.line)

        return told

    def put_in_place(self, plan: DeployPlan, undo: Undo) -> None:
        """Brings the files, then the containers, to the new release."""
        task = self.task
        self.journal.write("applying")
        apply(undo, self.objects, plan.production_index, _untold, task.check)
        plan.production_index.save(indexes_path(task)[1])
        plan.workspace_index.save(indexes_path(task)[0])
        self.journal.write(
            "starting",
            {"containers": [c.id for c in plan.containers], "mounted": list(plan.mounted)},
        )
        self._up()
        self._restart_mounted({c.id for c in plan.containers}, plan.mounted)

    def verify(self) -> list[Container]:
        """Waits until every container is well and stays so; they are what is released."""
        task = self.task
        containers = self._containers()
        Health(task.containers, Logs(task.engine, task.containers)).wait(
            [c.id for c in containers],
            timeout=task.project.health_timeout,
            stable_seconds=task.settings.stable_seconds,
            check=task.check,
        )
        return self._containers()

    def commit(
        self, plan: DeployPlan, containers: list[Container], probe: DowntimeProbe, begun: float
    ) -> Release:
        """Records the release: the point from which production stays as it is now."""
        task = self.task
        images = Images(task.engine)
        request = task.request
        by_service = {c.service: c for c in reversed(containers)}
        names = set(by_service) | set(plan.builds)
        services = {
            name: ReleasedService(
                image=by_service[name].image if name in by_service else "",
                image_id=by_service[name].image_id if name in by_service else None,
                build=plan.builds.get(name),
                config_hash=by_service[name].config_hash if name in by_service else "",
            )
            for name in names
            if name in by_service
        }
        for name, service in services.items():
            if service.image_id:
                images.pin(task.project.compose_project, name, request.id, service.image_id)
        downtime = probe.result().seconds
        release = Release(
            id=request.id,
            at=int(task.wall() * 1000),
            by=f"{request.requested_by.name} ({request.requested_by.frontend})",
            commit=plan.git.commit,
            dirty=plan.git.dirty,
            seconds=round(time.monotonic() - begun, 2),
            downtime=downtime,
            environment=plan.environment,
            services=services,
            files=plan.workspace,
        )
        Releases(task.folder).save(release)
        self.journal.write("committed")
        if downtime is not None:
            Downtimes(task.folder).add("deploy", downtime)
        return release

    def end(self) -> None:
        """Gives back what nobody needs any more; the transaction is over."""
        task = self.task
        releases = Releases(task.folder)
        images = Images(task.engine)
        name = task.project.compose_project
        for gone in releases.drop_beyond(task.project.keep_releases):
            images.unpin(name, gone)
        images.unpin(name, f"before-{self.journal.job}")
        keep = [releases.get(id).files for id in releases.ids()]
        undo = Undo.load(self._undo_path)
        if undo:
            # What the last change replaced stays until the next one: a hand-made file among it.
            keep.append({path: entry for path, entry in undo.before.items() if entry})
        self.objects.sweep(keep)
        self._drop_build_tree()
        self.journal.write(ENDED)

    def put_back(self) -> None:
        """Undoes whatever the journal says was begun: files, image names, containers.

        Can be cut off and run again. Raises what keeps it from succeeding.
        """
        self.journal.write("putting back")
        self._drop_build_tree()
        if self.journal.find("applying"):
            undo = Undo.load(self._undo_path)
            if undo is not None:
                index = StatIndex()
                revert(undo, self.objects, index)
        self._restore_images()
        if self.journal.find("starting"):
            self._restore_containers()
        self.journal.write("put back")
        Images(self.task.engine).unpin(
            self.task.project.compose_project, f"before-{self.journal.job}"
        )
        self.journal.write(ENDED)

    def _restore_images(self) -> None:
        found = self.journal.find("building")
        images = Images(self.task.engine)
        recorded: Mapping[str, tuple[str, str | None]] = found["images"] if found else {}
        for reference, id in recorded.values():
            if id is None:
                images.untag(reference)
            elif images.id_of(reference) != id:
                images.tag(id, reference)

    def _restore_containers(self) -> None:
        found = self.journal.find("starting") or {}
        before, mounted = set(found.get("containers", ())), tuple(found.get("mounted", ()))
        self._remove_leftovers()
        if not before:
            for container in self._containers():
                self._remove(container)
            return
        self._up(tries=_TRIES)
        self._restart_mounted({c.id for c in self._containers()}, mounted)
        task = self.task
        Health(task.containers, Logs(task.engine, task.containers)).wait(
            [c.id for c in self._containers()],
            timeout=task.project.health_timeout,
            stable_seconds=0.0,
        )

    def _remove_leftovers(self) -> None:
        """Containers that a killed Compose had made to replace others, and never started."""
        for container in self._containers():
            if container.replaces and container.state == "created":
                self._remove(container)

    def _remove(self, container: Container) -> None:
        """Removes a container that this deploy made; its volumes stay."""
        with self.task.engine.api() as api:
            try:
                api.remove_container(container.id, v=False, force=True)
            except NotFound:
                return

    def _up(self, *, tries: int = 1) -> None:
        task = self.task
        production = task.project.production
        project = compose_project(task, production, compose_files(production))
        protected = {c.service for c in self._containers() if c.name in task.project.protected}
        compose = Compose(task.settings.docker_host)
        # What is being put back is not called off.
        watch = self._watch(_unheard, _BUILD_SECONDS, called_off=tries == 1)
        services: tuple[str, ...] = ()
        if protected:
            config = compose.config(project)
            wanted = (n for n, s in config.services.items() if not s.profiles)
            services = tuple(name for name in wanted if name not in protected)
        for attempt in range(1, tries + 1):
            try:
                compose.up(project, watch, services, dependencies=not protected)
            except ScarError:
                if attempt == tries:
                    raise
                self._remove_leftovers()
            else:
                return

    def _restart_mounted(self, before: set[str], services: tuple[str, ...]) -> None:
        """Containers that Compose left alone although a file they have mounted was changed."""
        task = self.task
        for container in self._containers():
            if (
                container.id in before
                and container.service in services
                and container.name not in task.project.protected
            ):
                restart(task.engine, task.containers, container)

    def _containers(self) -> list[Container]:
        return self.task.containers.of_project(self.task.project.compose_project)

    def _watch(
        self, events: Callable[[Event], None], deadline: float, *, called_off: bool = True
    ) -> Watch:
        check = self.task.check if called_off else _untroubled
        return Watch(events, check, deadline, (self.lock,))


def _untold(_done: int, _total: int) -> None:
    """For what shows no progress of its own."""


def _unheard(_event: Event) -> None:
    """For commands whose events nobody needs."""


def _untroubled() -> None:
    """For what is not called off."""
