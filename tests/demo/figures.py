"""Draws the README's picture of figures over a time: `python -m tests.demo.figures FILE`.

The figures are made up, six hours of three containers with a deploy that leaks; the drawing is the
one that chats get.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from scar.charts.picture import ChartPicture
from scar.commands.usage_picture import usage_picture
from scar.jobs.results.stats import UsageHistory, UsageMark, UsageSeries

_START, _STEP, _COUNT, _DEPLOY = 1_790_000_000 - 21_600, 60, 360, 200
_KIB, _MIB = 1024, 1024 * 1024


def picture() -> ChartPicture:
    """Return the picture of a shop whose new release takes more and more memory."""
    chance = random.Random(3)
    rows = (
        _series(chance, "shop-web-1", 9, 180, (60, 120), leak=0.6),
        _series(chance, "shop-worker-1", 22, 240, (8, 30)),
        _series(chance, "shop-db-1", 5, 310, (20, 90)),
    )
    deploy = UsageMark((_START + _DEPLOY * _STEP) * 1000, "deploy", "Ada")
    return usage_picture("shop", UsageHistory(_START * 1000, _STEP, rows, (deploy,)))


def _series(
    chance: random.Random,
    name: str,
    cpu: float,
    memory: float,
    traffic: tuple[int, int],
    leak: float = 0,
) -> UsageSeries:
    """Return one container: percent, MiB, and KiB a second of network and disk."""
    steps = range(_COUNT)
    wave = [1 + 0.6 * math.sin(step / 40) for step in steps]
    load = [wave[step] * chance.uniform(0.7, 1.3) for step in steps]
    grown = [memory * wave[step] ** 0.1 + leak * max(0, step - _DEPLOY) for step in steps]
    network = [int(traffic[0] * _KIB * value) for value in load]
    disk = [int(traffic[1] * _KIB * value * chance.choice((0.1, 0.2, 0.3, 2))) for value in load]
    burst = [cpu * 4 if step == _DEPLOY else 0 for step in steps]
    return UsageSeries(
        name,
        tuple(round(cpu * load[step] + burst[step], 1) for step in steps),
        tuple(int(value * _MIB) for value in grown),
        tuple(network),
        tuple(value // 2 for value in network),
        tuple(value // 4 for value in disk),
        tuple(disk),
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(picture().png())
