"""Restores production to its state before a failed or interrupted deployment, using the journal
and the undo record alone.

The worker that failed and the worker that takes over after a kill therefore do the same.
Compensation itself may be interrupted and run again. It cannot be cancelled.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployResult
from workers.deployment.held_doors import HeldDoors
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.engine.connection import Engine
from workers.engine.downtime import DowntimeProbe
from workers.engine.images import Images
from workers.files.apply import revert
from workers.files.content_store import ContentStore
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo
from workers.runtime.context import JobContext
from workers.runtime.outcome import Outcome
from workers.state.journal import ENDED, Journal
from workers.state.releases import Releases

_AS_BEFORE = "Production has the files and images it had before, and its containers are up."
_NONE_AS_BEFORE = "Production has the files it had before, and no containers, as before."
_UNTOUCHED = "Production was not touched."
_FIRST = "Nothing was deployed. "
_ROLLING_BACK = ("rolling_back", "Putting production back")
_ENGINE_SECONDS = 45.0


def compensate(
    context: JobContext,
    journal: Journal,
    lock: int,
    error: ScarError,
    probe: DowntimeProbe | None = None,
) -> Outcome[DeployResult]:
    """Bring production back after `error`, and return the outcome of the job.

    `probe` has measured since before the first container was touched.
    """
    state_after = _production_state(context, journal)
    touched = journal.find("applying") is not None
    try:
        if journal.open:
            with context.steps.step(*_ROLLING_BACK) if touched else nullcontext():
                record = context.masker.error(error).record().to_json()
                journal.write("failed", {"error": record})
                _wait_for_engine(context.engine)
                _put_back(context, journal, lock)
    except ScarError as failure:
        return _in_between(error, failure)
    cancelled = error.code == "cancelled"
    state = JobState.CANCELLED if cancelled else JobState.ROLLED_BACK
    result = DeployResult(production_state=state_after)
    if probe is not None and journal.find("starting"):
        result = replace(result, downtime_seconds=probe.result().seconds)
    return Outcome(state, result, error)


def _production_state(context: JobContext, journal: Journal) -> str:
    """Return a sentence on how production will be once the deployment is undone."""
    first = "" if Releases(context.folder).ids() else _FIRST
    if not journal.find("applying"):
        return first + _UNTOUCHED
    starting = journal.find("starting")
    none = starting is not None and not starting["containers"]
    return first + (_NONE_AS_BEFORE if none else _AS_BEFORE)


def _wait_for_engine(engine: Engine) -> None:
    """Wait up to 45 seconds for an Engine that is restarting.

    A restart of the Engine is a frequent reason for a failed step, and without the Engine
    compensation would fail too.
    """
    deadline = time.monotonic() + _ENGINE_SECONDS
    while True:
        try:
            engine.version()
        except ScarError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _put_back(context: JobContext, journal: Journal, lock: int) -> None:
    """Undo every effect that the journal says was begun: files, images, containers, folders.

    Stand-ins answer until the containers are as they were; what was held is held again.

    Raises `ScarError` if that fails; the journal then stays open, so that the next job tries
    again.
    """
    folder, images = context.folder, Images(context.engine)
    applying, starting = journal.find("applying"), journal.find("starting")
    undo = Undo.load(folder / "undo.json") if applying else None
    journal.write("putting back")
    if undo is not None:
        revert(undo, ContentStore(folder / "objects"), StatCache())
    _restore_images(images, journal)
    production = Production(context, lock)
    held = HeldDoors(context, production)
    if starting:
        with _running_images(images, journal, starting.get("images", {})):
            production.restore(starting, held.before_stop)
    elif applying:
        production.start_stopped(applying.get("running", ()))
    held.end()
    Takeover(context, production).end()
    if begun := starting or journal.find("standing in"):
        _remove_folders(begun["folders"], undo)
        # A second time, since a container of the failed deployment may have been using an image
        # until now.
        _restore_images(images, journal)
    journal.write("put back")
    images.drop_provisional(production.project.compose_project)
    images.unpin(production.project.compose_project, f"before-{journal.job}")
    journal.write(ENDED)


def _restore_images(images: Images, journal: Journal) -> None:
    """Give each image name back to the image that had it before the deployment."""
    building = journal.find("building")
    recorded = building["images"] if building else {}
    for reference, before in recorded.values():
        now = images.id_of(reference)
        if now is not None and now != before:
            if before is None:
                images.untag(reference)
            else:
                images.tag(before, reference)
                images.remove_untagged(now)


@contextlib.contextmanager
def _running_images(images: Images, journal: Journal, run: Mapping[str, str]) -> Iterator[None]:
    """Let each name stand for the image that production ran, while Compose starts containers.

    Somebody may have built or pulled another one under that name, and not started it: `up` would.
    The name gets it back afterwards. One that was removed stays the name of what runs.
    """
    others = (journal.find("naming") or {"images": {}})["images"]
    if not others:
        now = {name: images.id_of(name) for name, id in run.items() if images.id_of(id)}
        others = {name: id for name, id in now.items() if id != run[name]}
        if others:
            journal.write("naming", {"images": others})
    for name in others:
        images.tag(run[name], name)
    yield
    for name, id in others.items():
        if id is not None and images.id_of(id):
            images.tag(id, name)


def _remove_folders(missing: Collection[str], undo: Undo | None) -> None:
    """Remove the folders that did not exist before: those that the deployment made, and of
    `missing` those that the Engine made for a mount.
    """
    made = [f"{undo.root}/{path}".rstrip("/") for path in undo.made] if undo else []
    for folder in sorted({*made, *missing}, reverse=True):
        with contextlib.suppress(OSError):  # a folder that somebody has put a file into stays
            os.rmdir(folder)


def _in_between(error: ScarError, failure: ScarError) -> Outcome[DeployResult]:
    """Return the outcome if compensation failed too, which leaves production between the old and
    the new state.
    """
    state = (
        f"Putting production back failed too: {failure.message} It is between old and new. "
        f"{failure.hint} The next deploy or rollback tries to put it back first."
    )
    return Outcome(JobState.FAILED, DeployResult(production_state=state), error)
