"""The Compose project of the container that this process runs in."""

from __future__ import annotations

from workers.engine.containers import Containers


def own_compose_project(containers: Containers, own_id: str | None) -> str | None:
    """Return the Compose project of the container `own_id`; None where it has none, or the Engine
    is that of another host.
    """
    if own_id is None:
        return None
    own = (container for container in containers.all() if container.id == own_id)
    return next((container.project or None for container in own), None)
