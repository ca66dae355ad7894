"""How long it takes from a container's end to the message in the chat, beside the second look."""

from __future__ import annotations

import time
from datetime import datetime

from tests.bench.scene import LOOK_SECONDS, BenchScene
from tests.bench.table import Row, seconds
from tests.support.compose_project import run_docker
from tests.support.waiting import PATIENCE

_MOST_SECONDS = 2.0


def rows(scene: BenchScene, *, short: bool) -> list[Row]:
    """Measure the slowest of several alerts."""
    slowest = max(_seconds_to_message(scene) for _ in range(1 if short else 5))
    return [
        Row(
            "alert in the chat, after the second look",
            seconds(slowest),
            f"second look {seconds(LOOK_SECONDS)}",
            seconds(slowest),
            f"≤ {seconds(_MOST_SECONDS)}",
            slowest <= _MOST_SECONDS,
        )
    ]


def _seconds_to_message(scene: BenchScene) -> float:
    """End a container; return the time from its end, as the Engine knows it, to the message."""
    container = f"{scene.shop.name}-ticker-1"
    latest = max((message.id for message in scene.chat.from_bot), default=0)
    run_docker("kill", container)
    ended = run_docker("inspect", "--format", "{{.State.FinishedAt}}", container)
    told = scene.chat.wait_for(
        lambda m: m.id > latest and not m.silent and "shop/ticker" in m.text, PATIENCE
    )
    at = time.time() - time.monotonic() + told.versions[0].at
    run_docker("start", container)
    scene.chat.wait_for(lambda m: m.reply_to == told.id and "has recovered" in m.text, PATIENCE)
    return at - datetime.fromisoformat(ended).timestamp() - LOOK_SECONDS
