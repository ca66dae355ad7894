"""The plan of going back to a release: its files, environment and images, without a build."""

from __future__ import annotations

from pathlib import Path

from scar.errors import ScarError, nearest
from workers.deployment.future_tree import FutureTree
from workers.deployment.plan import (
    Plan,
    indexes_path,
    mounted_services,
    require_own,
    require_possible,
    services_to_pull,
    services_to_restart,
)
from workers.engine.images import Images
from workers.files.compare import compare
from workers.files.content_store import ContentStore
from workers.files.stat_cache import StatCache
from workers.runtime.context import JobContext
from workers.state.releases import Release, Releases


def plan_rollback(context: JobContext) -> Plan:
    """Compares and changes nothing. `not_found` where there is no such release, `conflict` where
    something it needs is gone.
    """
    releases = Releases(context.folder)
    target = _target(releases, context.request.args.get("release"))
    last = releases.latest()
    assert last is not None  # there is a target
    objects = ContentStore(context.folder / "objects")
    tags = _images(context, target)
    _require_contents(target, objects)
    production = str(context.project.production)
    index = StatCache.load(indexes_path(context)[1])
    # An environment file of production's own is no file of a release, but goes back like one.
    own = {path: e for path, e in last.relied_on.items() if path in target.relied_on}
    contents = target.contents
    changes = compare(contents, production, {**last.files, **own}, index)
    containers = tuple(context.containers.of_project(context.project.compose_project))
    require_own(containers, production)
    removed = {path for path, entry in changes.after.items() if entry is None}

    def source(path: str) -> Path:
        return Path(objects.path_of(contents[path]))

    config = FutureTree(context.project.production, contents, removed, source).config_for(context)
    require_possible(context, config)
    images = Images(context.engine)
    # What a release kept is named again, and need not be there by its name.
    present = {n: images.id_of(s.image) for n, s in config.active.items() if n not in tags}
    mounted = mounted_services(config, production, changes)
    other = [c.service for c in containers if c.image_id != tags.get(c.service, ("", ""))[1]]
    return Plan(
        target.files,
        target.relied_on,
        changes,
        last,
        config,
        containers,
        target.commit,
        target.dirty,
        StatCache.load(indexes_path(context)[0]),
        index,
        builds={name: s.build for name, s in target.services.items() if s.build},
        pull=services_to_pull(config, present),
        tags=tags,
        mounted=mounted,
        restart=services_to_restart(
            context, config, containers, (*mounted, *(name for name in other if name in tags))
        ),
        restores=target.id,
    )


def _target(releases: Releases, asked: str | None) -> Release:
    known = releases.ids()
    if asked is None:
        if len(known) < 2:
            raise ScarError(
                "not_found",
                "There is no earlier release to go back to",
                "/docker_history lists the releases; a second deploy makes the first of them one "
                "to go back to.",
            )
        return releases.get(known[-2])
    if asked not in known:
        hint = nearest(asked, known)
        raise ScarError(
            "not_found",
            f"Release '{asked[:40]}' not found",
            f"{hint} /docker_history lists those that are kept.".strip(),
        )
    return releases.get(asked)


def _images(context: JobContext, target: Release) -> dict[str, tuple[str, str]]:
    """The name and the id of each service's image."""
    images = Images(context.engine)
    found = {name: (s.image, s.image_id) for name, s in target.services.items() if s.image_id}
    gone = sorted(name for name, (_, id) in found.items() if images.id_of(str(id)) is None)
    if gone:
        raise ScarError(
            "conflict",
            f"Release {target.id} cannot be restored: the image of '{gone[0]}' was removed from "
            "the Engine",
            "Choose another release of /docker_history, or check its commit out and deploy it.",
        )
    return {name: (image, str(id)) for name, (image, id) in found.items()}


def _require_contents(target: Release, objects: ContentStore) -> None:
    for path, entry in target.contents.items():
        if entry.kind == "file" and not objects.holds(entry):
            raise ScarError(
                "conflict",
                f"Release {target.id} cannot be restored: the store has lost {path}",
                "Choose another release of /docker_history, or check its commit out and deploy it.",
            )
