"""The checks of `scar doctor`: each yields findings, with a remedy for what is wrong.

No check writes anything. A check is skipped if one of the checks that it `needs` has failed, and
equal findings are shown once, so that one cause gives one line.
"""

from __future__ import annotations

from collections.abc import Iterator

from scar.cli.checks import engine, page, projects, services, settings, zero_downtime
from scar.cli.checks.check import Check
from scar.errors import ScarError
from scar.registration.registry import front_ends
from scar.registration.spec import Finding
from scar.settings import Settings

CHECKS: tuple[Check, ...] = (
    *settings.CHECKS,
    *projects.CHECKS,
    *engine.CHECKS,
    *zero_downtime.CHECKS,
    *services.CHECKS,
    *page.CHECKS,
    *(Check(spec.name, spec.check) for spec in front_ends()),
)


def findings(settings: Settings) -> Iterator[Finding]:
    """Run the checks in order and yield their findings."""
    wrong: set[str] = set()
    told: set[str] = set()
    for check in CHECKS:
        if wrong.intersection(check.needs):
            wrong.add(check.name)
            continue
        for finding in _run(check, settings):
            if finding.remedy:
                wrong.add(check.name)
                if finding.detail in told:
                    continue
                told.add(finding.detail)
            yield finding


def _run(check: Check, settings: Settings) -> Iterator[Finding]:
    """Yield the findings of a check; an error that ends it is a finding too."""
    try:
        yield from check.run(settings)
    except ScarError as error:
        yield Finding(check.name, error.message, error.hint)
