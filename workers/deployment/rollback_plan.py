"""Plans a rollback: an earlier release's files, environment and images, without a build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scar.errors import ScarError
from scar.jobs.results.history import ReleaseRow
from workers.deployment.compose_changes import compose_changes
from workers.deployment.future_tree import FutureTree
from workers.deployment.plan import NO_CONFIG, Plan, stat_cache_paths
from workers.deployment.requirements import require_own, require_possible
from workers.deployment.services import mounted_services, services_to_pull, services_to_restart
from workers.deployment.ways import plan_ways
from workers.engine.images import Images
from workers.engine.regular_file import read_regular_file
from workers.files.compare import compare
from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.stat_cache import StatCache
from workers.runtime.context import JobContext
from workers.state.release_rows import release_rows
from workers.state.releases import Release, Releases


def plan_rollback(context: JobContext) -> Plan:
    """Compare production with an earlier release. Changes nothing.

    Raises `not_found` if there is no such release, `conflict` if a file or image that it needs no
    longer exists.
    """
    releases = Releases(context.folder)
    target = _target(releases, context.request.args.get("release"))
    last = releases.latest()
    assert last is not None  # `_target` raises if there is no release
    contents = ContentStore(context.folder / "objects")
    tags = _images(context, target)
    _require_contents(target, contents)
    production = str(context.project.production)
    paths = stat_cache_paths(context)
    cache = StatCache.load(paths[1])
    # An `.env` that only production has is not among a release's files, but is restored like them.
    own = {path: e for path, e in last.relied_on.items() if path in target.relied_on}
    changes = compare(target.contents, production, {**last.files, **own}, cache)
    containers = tuple(context.containers.of_project(context.project.compose_project))
    require_own(context, containers, production)
    plan = Plan(
        target.files,
        target.relied_on,
        changes,
        last,
        NO_CONFIG,
        containers,
        target.commit,
        target.dirty,
        StatCache.load(paths[0]),
        cache,
        builds={name: s.build for name, s in target.services.items() if s.build},
        tags=tags,
        restores=next(row for row in release_rows(releases) if row.id == target.id),
    )
    return _with_services(context, plan, target, contents)


def _with_services(
    context: JobContext, plan: Plan, target: Release, contents: ContentStore
) -> Plan:
    """Return the plan with the services to pull and restart filled in."""
    project, files = context.project, target.contents
    removed = {path for path, entry in plan.changes.after.items() if entry is None}

    def content(path: str, entry: Entry) -> bytes:
        stored = read_regular_file(Path(contents.path_of(entry)))
        if stored is None:
            raise _lost(target, path)
        return stored

    future = FutureTree(project.production, files, removed, content, project.workspace)
    config = future.config_for(context)
    require_possible(context, config)
    images, tags = Images(context.engine), plan.tags
    # Images that the release kept are tagged again, so their names need not exist at present.
    present = {n: images.id_of(s.image) for n, s in config.active.items() if n not in tags}
    mounted = mounted_services(config, str(project.production), plan.changes)
    other = [c.service for c in plan.containers if c.image_id != tags.get(c.service, ("", ""))[1]]
    others = (*mounted, *(name for name in other if name in tags))
    planned = replace(
        plan,
        config=config,
        pull=services_to_pull(config, present),
        mounted=mounted,
        restart=services_to_restart(context, config, plan.containers, others),
    )
    ways = plan_ways(context, config, plan.containers, planned.restart, plan.changes.after)
    return replace(planned, compose=compose_changes(context, planned), ways=ways)


def _target(releases: Releases, id: str | None) -> Release:
    known = releases.ids()
    if id is None:
        if len(known) < 2:
            raise ScarError(
                "not_found",
                "There is no earlier release to go back to",
                "/docker_history lists the releases; a second deploy makes the first of them one "
                "to go back to.",
            )
        return releases.get(known[-2])
    matching = [release for release in known if release.startswith(id.upper())]
    if len(matching) != 1:
        many = f"{len(matching)} releases begin with '{id[:40]}'"
        raise ScarError(
            "not_found",
            many if matching else f"Release '{id[:40]}' not found",
            "Name one of these: the beginning of its id is enough.",
            lines=tuple(map(_listed, release_rows(releases))),
        )
    return releases.get(matching[0])


def _listed(row: ReleaseRow) -> str:
    commit = f" {row.commit[:7]}" if row.commit else ""
    ago = f"{row.ago} release{'s' if row.ago > 1 else ''} ago" if row.ago else "now in production"
    subject = f" {row.subject}" if row.subject else ""
    at = row.at[:16].replace("T", " ")
    return f"{row.id[:10]} {at} UTC{commit}{subject}, by {row.by}, {ago}"


def _images(context: JobContext, target: Release) -> dict[str, tuple[str, str]]:
    """Return the image name and id of each service in the release; raise `conflict` if an image
    no longer exists.
    """
    images = Images(context.engine)
    kept = {name: (s.image, s.image_id) for name, s in target.services.items() if s.image_id}
    gone = sorted(name for name, (_, id) in kept.items() if images.id_of(str(id)) is None)
    if gone:
        raise ScarError(
            "conflict",
            f"Release {target.id} cannot be restored: the image of '{gone[0]}' was removed from "
            "the Engine",
            "Choose another release of /docker_history, or check its commit out and deploy it.",
        )
    return {name: (image, str(id)) for name, (image, id) in kept.items()}


def _require_contents(target: Release, contents: ContentStore) -> None:
    for path, entry in target.contents.items():
        if entry.kind == "file" and not contents.holds(entry):
            raise _lost(target, path)


def _lost(target: Release, path: str) -> ScarError:
    return ScarError(
        "conflict",
        f"Release {target.id} cannot be restored: the store has lost {path}",
        "Choose another release of /docker_history, or check its commit out and deploy it.",
    )
