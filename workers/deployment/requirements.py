"""Checks that refuse a deployment before it begins."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scar.errors import ScarError
from workers.deployment.plan import Plan
from workers.engine.compose_config import ComposeConfig, Service
from workers.engine.container import Container
from workers.engine.own_container import own_compose_project
from workers.engine.project_containers import project_containers, unknown_protected
from workers.files.content_store import ContentStore
from workers.files.failures import existing_folder, sync_failed
from workers.files.manifest import Entry
from workers.files.staging import require_room as require_room_for
from workers.runtime.context import JobContext

_WRITABLE = os.W_OK | os.X_OK


def require_not_scar(context: JobContext, own_id: str | None) -> None:
    """Raise `conflict` if this worker runs in the project, in the container `own_id`, because the
    deployment would kill the worker.
    """
    own = own_compose_project(context.containers, own_id)
    if own is not None and own == context.project.compose_project:
        raise ScarError(
            "conflict",
            f"Compose project '{own}' is SCAR itself: its worker would end in the middle of this",
            f"Do it by hand, on the host, in SCAR's folder: docker compose -p {own} up -d --build",
        )


def require_own(context: JobContext, containers: tuple[Container, ...], production: str) -> None:
    """Raise `project_invalid` if a container of the Compose project was created from another
    folder, so that it must not be replaced, or if the projects file names a container of another
    project.
    """
    project_containers(context.containers, context.project)
    here = os.path.realpath(production)
    for container in containers:
        there = container.working_dir
        if there and os.path.realpath(there) != here:
            raise ScarError(
                "project_invalid",
                f"Container '{container.name}' was made from {there}, not from {production}",
                "Correct `production` or `compose_project` in the projects file, or take the "
                "other project down first.",
            )


def require_possible(context: JobContext, config: ComposeConfig) -> None:
    """Raise `project_invalid` if the Engine would refuse the Compose file during the deployment, or
    if a `protected` container does not exist and would not be created.
    """
    project = context.project
    require_protected(context, config)
    if not config.active:
        raise ScarError(
            "project_invalid",
            f"The Compose file of '{project.name}' has no service to run",
            "Add one under `services`, or name its profile as COMPOSE_PROFILES in `.env`.",
        )
    for container in context.containers.all():
        ours = container.project == project.compose_project
        for service in config.active.values():
            if not (ours and container.service == service.name):
                _require_name(service, container)
            if not (ours and container.service in config.services):
                _require_ports(service, container)


def _require_name(service: Service, other: Container) -> None:
    """Raise `project_invalid` where the other container has the service's container name."""
    if service.container_name and service.container_name == other.name:
        raise ScarError(
            "project_invalid",
            f"Service '{service.name}' wants the container name '{other.name}', which a "
            f"container of {_owner(other)} has",
            "Change `container_name` in the Compose file, or remove the other container.",
        )


def _require_ports(service: Service, other: Container) -> None:
    """Raise `project_invalid` where the other container publishes a port of the service."""
    for port in other.ports:
        if any(p.meets(port.host_port, port.protocol, port.host_ip) for p in service.published):
            raise ScarError(
                "project_invalid",
                f"Service '{service.name}' wants port {port.host_port}, which is published by "
                f"'{other.name}' of {_owner(other)}",
                "Change the port in the Compose file, or stop the other container.",
            )


def _owner(container: Container) -> str:
    return f"project '{container.project}'" if container.project else "somebody else"


def require_protected(context: JobContext, config: ComposeConfig) -> None:
    """Raise `project_invalid` where a `protected` container neither exists nor would be made."""
    project = context.project
    names = {container.name for container in context.containers.of_project(project.compose_project)}
    for service in config.services.values():
        names.add(service.container_name or f"{project.compose_project}-{service.name}-1")
    if refusal := unknown_protected(project, names):
        raise refusal


def require_room(context: JobContext, plan: Plan) -> None:
    """Raise `disk_full` where the new files cannot fit, `sync_failed` where they cannot be written.

    Room for images is not known before they are built.
    """
    if plan.nothing:
        return
    root, store = str(context.project.production), ContentStore(context.folder / "objects")
    for folder in {
        existing_folder(os.path.dirname(f"{root}/{path}")) for path in plan.changes.after
    }:
        _require_writable(folder)
    _require_writable(existing_folder(store.folder))
    known = plan.last.contents if plan.last else {}
    stored = {**plan.files, **plan.relied_on}
    new = [entry for path, entry in stored.items() if not entry.same_content(known.get(path))]
    coming, replaced = _files(plan.changes.after.values()), _files(plan.changes.before.values())
    lacking = {store.path_of(e): e for e in (*_files(new), *replaced) if not store.holds(e)}
    require_room_for(store.folder, root, lacking.values(), coming)


def _files(entries: Iterable[Entry | None]) -> list[Entry]:
    return [entry for entry in entries if entry and entry.kind == "file"]


def _require_writable(folder: str) -> None:
    if os.access(folder, _WRITABLE, effective_ids=True):
        return
    read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    raise sync_failed(
        folder,
        "cannot be written: " + ("it is mounted read-only" if read_only else "permission denied"),
        "Check its owner and permissions and the mount it is on, then deploy again.",
    )
