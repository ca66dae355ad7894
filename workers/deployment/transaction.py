"""Executes a deployment: each effect is journalled before it is made, and can be undone.

The order: copy new and old contents into the content store; build images from there (a failed build
has not changed production); then files, containers, health, and the release, which is the point of
no return.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog

from scar.errors import ScarError
from scar.jobs.results.ways import NO_DOWNTIME, ServiceWay, all_plain
from workers.deployment.build import ImageBuild
from workers.deployment.held_doors import HeldDoors
from workers.deployment.plan import Plan, stat_cache_paths
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.engine.container import Container
from workers.engine.downtime import DowntimeProbe
from workers.engine.images import Images
from workers.files.apply import apply, stage
from workers.files.content_store import ContentStore
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.git.subject import commit_subject
from workers.runtime.context import JobContext
from workers.runtime.step_reporter import RunningStep
from workers.state.downtime_history import DowntimeHistory
from workers.state.journal import ENDED, RESTORED, Journal
from workers.state.primary_container import containers_of
from workers.state.releases import Release, ReleasedService, Releases

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Transaction:
    """One deployment of one project. `lock` is the descriptor of the project lock, which this
    job holds.
    """

    context: JobContext
    journal: Journal
    lock: int

    @cached_property
    def contents(self) -> ContentStore:
        """The project's content store."""
        return ContentStore(self._folder / "objects")

    @cached_property
    def production(self) -> Production:
        """The project's production folder and containers."""
        return Production(self.context, self.lock)

    @cached_property
    def takeover(self) -> Takeover:
        """The stand-ins of the project."""
        return Takeover(self.context, self.production)

    @cached_property
    def held(self) -> HeldDoors:
        """The held doors of the project."""
        return HeldDoors(self.context, self.production)

    @cached_property
    def _folder(self) -> Path:
        return self.context.folder

    @property
    def _undo_path(self) -> Path:
        return self._folder / "undo.json"

    def copy(self, plan: Plan, step: RunningStep) -> Undo:
        """Copy new and old contents into the store, and save the undo record. Production is not
        changed.
        """
        context = self.context
        undo = Undo.of(context.request.id, str(context.project.production), plan.changes)
        stage(str(context.project.workspace), undo.root, undo, self.contents, context.check)
        self._store_release(plan)
        undo.save(self._undo_path)
        self.journal.write("staged")
        total = len(plan.changes.after)
        step.progress(total, total, "files")
        return undo

    def build(self, plan: Plan, step: RunningStep) -> None:
        """Build the images whose inputs have changed, and pull those that are missing."""
        self._note_images({n: plan.config.services[n].image for n in (*plan.build, *plan.pull)})
        ImageBuild(self.context, self.contents, self.lock).run(plan, step)
        self.journal.write("built")

    def name_images(self, plan: Plan) -> None:
        """Tag the images of the release that a rollback restores with the names they had in it."""
        self._note_images({name: reference for name, (reference, _) in plan.tags.items()})
        for reference, id in plan.tags.values():
            self.context.check()
            Images(self.context.engine).tag(id, reference)

    def _note_images(self, references: Mapping[str, str]) -> None:
        """Journal which image each name stands for now, by service, and protect these images
        from pruning.
        """
        images = Images(self.context.engine)
        noted = self.journal.find("building") or {"images": {}}
        before = {name: [image, images.id_of(image)] for name, image in references.items()}
        for name, (_, id) in before.items():
            if id:
                project = self.context.project.compose_project
                images.pin(project, name, f"before-{self.context.request.id}", id)
        self.journal.write("building", {"images": {**before, **noted["images"]}})

    def _pin_running(self, images: Mapping[str, str]) -> None:
        """Protect from pruning what runs and has lost its name, to this deployment or by hand."""
        known, pinned_for = Images(self.context.engine), f"before-{self.context.request.id}"
        for number, (name, id) in enumerate(images.items()):
            if known.id_of(name) != id and known.id_of(id):
                project = self.context.project.compose_project
                known.pin(project, f"running-{number}", pinned_for, id)

    def _store_release(self, plan: Plan) -> None:
        """Copy into the store the files that no earlier release has, so that each release is
        stored completely.
        """
        known = plan.last.contents if plan.last else {}
        project = self.context.project
        folders = (project.workspace, plan.files), (project.production, plan.relied_on)
        for folder, manifest in folders:
            new = {p: e for p, e in manifest.items() if not e.same_content(known.get(p))}
            self.contents.take_in(str(folder), new, self.context.check)

    def put_in_place(self, plan: Plan, undo: Undo) -> tuple[ServiceWay, ...]:
        """Bring the files, then the containers, to the new release; return how the services were
        replaced.
        """
        context = self.context
        running = [c.id for c in self.production.containers() if c.state == "running"]
        self.journal.write("applying", {"running": running})
        apply(undo, self.contents, plan.production_index, _no_progress, context.check)
        try:
            plan.production_index.save(stat_cache_paths(context)[1])
            plan.workspace_index.save(stat_cache_paths(context)[0])
        except ScarError as error:
            _log.warning("index not kept: the next look takes longer", reason=error.message)
        before = self.production.state(plan.config)
        self._pin_running(before["images"])
        ways = plan.ways.by_service
        if plan.stand_ins:
            self.journal.write("standing in", {"folders": before["folders"]})
            if reason := self.takeover.begin(plan.config, plan.stand_ins):
                ways = all_plain(ways, reason)
        if plan.held:
            self.held.begin(plan.config, plan.held)
        self.journal.write("starting", {**before, "mounted": list(plan.mounted)})
        before_stop = self.held.before_stop
        self.production.up(context.check, before_stop)
        self.production.restart_mounted(before["containers"], plan.mounted, before_stop)
        return ways

    def bring_back(self, undo: Undo) -> None:
        """Write files whose contents are in the store, without touching containers, and close the
        journal.

        `restored` in the journal is the point of no return: there is no release.
        """
        context = self.context
        stage(str(context.project.workspace), undo.root, undo, self.contents, context.check)
        undo.save(self._undo_path)
        self.journal.write("staged")
        self.journal.write("applying", {"running": []})
        cache = StatCache.load(stat_cache_paths(context)[1])
        apply(undo, self.contents, cache, _no_progress, context.check)
        self.journal.write(RESTORED)
        self.journal.write(ENDED)

    def verify(self, plan: Plan) -> list[Container]:
        """Wait until every container of the Compose configuration is healthy and stays healthy;
        return them.

        Containers that the configuration does not define are not waited for.
        """
        context = self.context
        services = plan.config.active
        self.production.wait(
            services, stable_seconds=context.settings.stable_seconds, check=context.check
        )
        return [c for c in self.production.containers() if c.service in services]

    def commit(
        self,
        plan: Plan,
        containers: list[Container],
        probe: DowntimeProbe,
        started: float,
        forecast: str | None,
        waited: float | None,
    ) -> Release:
        """Record the release, which is the point of no return. `started` is the start time by the
        monotonic clock, `forecast` the downtime that the question announced, `waited` how long
        connections were held.
        """
        context = self.context
        request = context.request
        services = _released_services(plan, containers)
        self._pin(services)
        downtime = probe.result().seconds
        release = Release(
            id=request.id,
            at=int(context.wall() * 1000),
            by=f"{request.requested_by.name} ({request.requested_by.frontend})",
            commit=plan.commit,
            dirty=plan.dirty,
            seconds=round(time.monotonic() - started, 2),
            downtime=downtime,
            restored=plan.restores.id if plan.restores else None,
            services=services,
            files=plan.files,
            relied_on=plan.relied_on,
            primary=self._primary(),
            subject=self._subject(plan),
            forecast=forecast,
            waited=waited,
        )
        Releases(self._folder).save(release)
        self.journal.write("committed")
        if downtime is not None and not (forecast or "").startswith(NO_DOWNTIME):
            DowntimeHistory(self._folder).add(request.kind, downtime)
        return release

    def _pin(self, services: Mapping[str, ReleasedService]) -> None:
        """Protect the images of the release from pruning."""
        images = Images(self.context.engine)
        project = self.context.project.compose_project
        for name, service in services.items():
            if service.image_id:
                images.pin(project, name, self.context.request.id, service.image_id)

    def _subject(self, plan: Plan) -> str | None:
        if plan.restores is not None:
            return plan.restores.subject
        subject = commit_subject(self.context.project.workspace, plan.commit)
        return subject and self.context.masker.text(subject)

    def _primary(self) -> str | None:
        """Return the present primary container, which is recorded so that it stays primary."""
        try:
            return containers_of(self.context).primary
        except ScarError as error:
            _log.warning("primary container not noted", reason=error.message)
            return None


def _released_services(plan: Plan, containers: list[Container]) -> dict[str, ReleasedService]:
    by_service = {c.service: c for c in reversed(containers)}
    return {
        name: ReleasedService(
            image=container.image,
            image_id=container.image_id,
            build=plan.builds.get(name),
            config_hash=container.config_hash,
        )
        for name, container in by_service.items()
    }


def _no_progress(_done: int, _total: int) -> None:
    """Ignore progress, because the step that applies files shows none."""
