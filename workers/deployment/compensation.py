"""Restores production to its state before a failed or interrupted deployment, using the journal
alone.

The worker that failed and the worker that takes over after a kill therefore do the same.
Compensation itself may be interrupted and run again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.engine.compose_config import ComposeConfig
from workers.engine.connection import Engine
from workers.engine.images import Images
from workers.engine.process import no_check
from workers.files.apply import revert
from workers.files.content_store import ContentStore
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.state.journal import ENDED, Journal

_TRIES = 3


def state_before(production: Production, config: ComposeConfig) -> JsonObject:
    """Return the state to journal before the first container is changed: containers, networks
    and missing folders.
    """
    containers = production.containers()
    return {
        "containers": {c.id: c.service for c in containers},
        "running": sorted({c.service for c in containers if c.state == "running"}),
        "networks": production.networks(),
        "folders": _missing_folders(str(production.project.production), config),
    }


def _missing_folders(root: str, config: ComposeConfig) -> list[str]:
    """Return the folders that do not exist and that the Engine will create because a container
    mounts them, sorted.
    """
    missing: set[str] = set()
    for service in config.active.values():
        for bind in service.binds:
            while bind.startswith(f"{root}/") and not os.path.lexists(bind):
                missing.add(bind)
                bind = os.path.dirname(bind)
    return sorted(missing)


@dataclass(frozen=True)
class Compensation:
    """Undoes the effects of one transaction. It cannot be cancelled."""

    engine: Engine
    journal: Journal
    production: Production
    contents: ContentStore

    def run(self, undo: Undo | None, takeover: Takeover) -> None:
        """Undo every effect that the journal says was begun; `undo` is None if no file was changed.

        Stand-ins go on until the containers are as they were: they answer meanwhile.

        Raises `ScarError` if that fails; the journal then stays open, so that the next job tries
        again.
        """
        self.journal.write("putting back")
        if undo is not None:
            revert(undo, self.contents, StatCache())
        self._restore_images()
        started = self.journal.find("starting")
        if started:
            self._restore_containers(started)
            self._remove_folders(started, undo)
            # A second time, since a container of the failed deploy may have been using an image
            # until now.
            self._restore_images()
        elif applying := self.journal.find("applying"):
            self._start_lost(applying.get("running", ()))
        takeover.end()
        if not started and (standing := self.journal.find("standing in")):
            self._remove_folders(standing, undo)
        self.journal.write("put back")
        Images(self.engine).unpin(
            self.production.project.compose_project, f"before-{self.journal.job}"
        )
        self.journal.write(ENDED)

    def _restore_images(self) -> None:
        building = self.journal.find("building")
        images = Images(self.engine)
        recorded: Mapping[str, tuple[str, str | None]] = building["images"] if building else {}
        for reference, before in recorded.values():
            now = images.id_of(reference)
            if now is not None and now != before:
                if before is None:
                    images.untag(reference)
                else:
                    images.tag(before, reference)
                    images.remove_untagged(now)

    def _restore_containers(self, started: JsonObject) -> None:
        before: Mapping[str, str] = started["containers"]
        self._remove_half_made()
        if before:
            self._up()
            wanted = {*self.production.config().active, *before.values()}
        else:
            wanted = set()
        for container in self.production.containers():
            if container.id not in before and container.service not in wanted:
                self.production.remove(container)
        for network in self.production.networks():
            if network not in started["networks"]:
                self.production.remove_network(network)
        if before:
            self.production.restart_mounted(before, started["mounted"])
            self.production.wait(started["running"], stable_seconds=0.0, check=no_check)

    def _start_lost(self, running: Collection[str]) -> None:
        """Start containers that were running, were not changed by the deployment, and have exited.

        If the Engine was killed, containers stay stopped whatever their restart policy is.
        """
        lost = [c for c in self.production.containers() if c.id in running and c.state == "exited"]
        for container in lost:
            self.production.start(container)
        if lost:
            services = {c.service for c in lost}
            self.production.wait(services, stable_seconds=0.0, check=no_check)

    def _remove_folders(self, started: JsonObject, undo: Undo | None) -> None:
        """Remove folders that did not exist before: those that the deployment or the Engine
        created, with their parents.
        """
        made = [f"{undo.root}/{path}".rstrip("/") for path in undo.made] if undo else []
        for folder in sorted({*made, *started["folders"]}, reverse=True):
            with contextlib.suppress(OSError):  # a folder that somebody has put a file into stays
                os.rmdir(folder)

    def _up(self) -> None:
        """Run `docker compose up`, up to 3 times."""
        for attempt in range(1, _TRIES + 1):
            try:
                self.production.up(no_check)
            except ScarError:
                if attempt == _TRIES:
                    raise
                time.sleep(attempt)
                self._remove_half_made()
            else:
                return

    def _remove_half_made(self) -> None:
        """Remove containers that Compose had created as replacements and not started when it was
        killed.
        """
        for container in self.production.containers():
            if container.replaces and container.state == "created":
                self.production.remove(container)
