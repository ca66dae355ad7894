"""Completes a deployment whose release is recorded: deletes what is not needed any more."""

from __future__ import annotations

import structlog

from scar.errors import ScarError
from workers.deployment.held_doors import HeldDoors
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.engine.images import Images
from workers.files.content_store import ContentStore
from workers.files.undo import Undo
from workers.runtime.context import JobContext
from workers.state.journal import ENDED, Journal
from workers.state.releases import Releases

_log = structlog.get_logger(__name__)


def complete(context: JobContext, journal: Journal, lock: int) -> None:
    """Clean up after the release is recorded, and close the journal. If that fails, the deployment
    still counts as succeeded, and the next job cleans up.
    """
    if journal.open:
        try:
            clear_up(context, journal, lock)
        except ScarError as error:
            _log.warning("not cleared up", job=context.request.id, reason=error.message)


def clear_up(context: JobContext, journal: Journal, lock: int) -> None:
    """Clean up after a recorded release, and close the journal; raise `ScarError` if that fails."""
    production = Production(context, lock)
    HeldDoors(context, production).end()
    Takeover(context, production).end()
    _drop_unneeded(context, f"before-{journal.job}")
    journal.write(ENDED)


def _drop_unneeded(context: JobContext, pinned: str) -> None:
    """Delete the files and images that no remaining release needs. `pinned` names the tags of the
    images that the deployment replaced.
    """
    folder, project = context.folder, context.project
    releases, images = Releases(folder), Images(context.engine)
    for removed in (*releases.drop_beyond(project.keep_releases), pinned):
        images.unpin(project.compose_project, removed)
    images.drop_provisional(project.compose_project)
    keep = [releases.get(id).contents for id in releases.ids()]
    undo = Undo.load(folder / "undo.json")
    if undo:
        # The files replaced by this deployment, among them hand-made ones, are kept until the
        # next one.
        keep.append({path: entry for path, entry in undo.before.items() if entry})
    ContentStore(folder / "objects").sweep(keep)
