"""Builds the outcomes of deployments, as their messages show them."""

from __future__ import annotations

import structlog

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.deploy import DeployPlan, DeployResult, PrimaryContainer
from scar.jobs.results.json_record import ABSENT
from scar.jobs.results.ways import PLAIN, ServiceWay
from workers.deployment.plan import Plan
from workers.engine.container import Container
from workers.runtime.context import JobContext
from workers.runtime.outcome import Outcome
from workers.state.primary_container import containers_of
from workers.state.releases import Release

_TOO_LATE = "It was cancelled too late: everything was done. /docker_rollback goes back."
_log = structlog.get_logger(__name__)


def unchanged(context: JobContext) -> Outcome[DeployResult]:
    """Return the outcome of a deployment that had nothing to change."""
    result = DeployResult(nothing=True, primary=primary_container(context))
    return Outcome(JobState.SUCCEEDED, result)


def deployed(
    context: JobContext,
    work: Plan,
    plan: DeployPlan,
    release: Release,
    containers: list[Container],
    ways: tuple[ServiceWay, ...],
) -> Outcome[DeployResult]:
    """Return the outcome of a deployment that this worker executed from start to end."""
    result = DeployResult(
        nothing=False,
        release=release.id,
        restored=release.restored,
        commit=release.commit,
        counts=plan.counts,
        built=plan.build,
        restarted=_recreated(work, containers),
        downtime_seconds=release.downtime,
        seconds=release.seconds,
        kept=(*plan.drift, *plan.kept),
        notices=(*_given_up(work, ways), *((_TOO_LATE,) if context.cancelled_too_late else ())),
        ways=ways or ABSENT,
        primary=primary_container(context),
    )
    return Outcome(JobState.SUCCEEDED, result)


def _given_up(work: Plan, ways: tuple[ServiceWay, ...]) -> list[str]:
    """Return a sentence for each service that was to have a stand-in, or be held, and was not."""
    plain = [way for way in ways if way.way == PLAIN]
    return [
        *(
            f"{way.service} was replaced without a stand-in: {way.why}"
            for way in plain
            if way.service in work.stand_ins
        ),
        *(
            f"New connections to {way.service} did not wait: {way.why}"
            for way in plain
            if way.service in work.held
        ),
    ]


def resumed(context: JobContext, release: Release) -> Outcome[DeployResult]:
    """Return the outcome of a deployment whose worker was killed after recording the release."""
    result = DeployResult(
        nothing=False,
        release=release.id,
        restored=release.restored,
        downtime_seconds=release.downtime,
        primary=primary_container(context),
    )
    return Outcome(JobState.SUCCEEDED, result)


def primary_container(context: JobContext) -> PrimaryContainer | None:
    """Return the state of the project's primary container, which the message ends with."""
    try:
        project = containers_of(context)
        if project.primary is None or project.primary in project.missing:
            return None
        main = project.main()
        uptime = context.containers.uptime(main) or 0
    except ScarError as error:
        _log.warning("primary container not looked at", reason=error.message)
        return None
    return PrimaryContainer(main.name, main.state, uptime)


def _recreated(work: Plan, containers: list[Container]) -> tuple[str, ...]:
    before = {c.id for c in work.containers}
    fresh = {c.service for c in containers if c.id not in before}
    return tuple(sorted(fresh.union(work.mounted)))
