"""Measures the memory of the idle processes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bench.scene import BenchScene
from tests.bench.table import Row

_LIMIT = 300
_PARTS = {"api": "scar.cli api", "telegram": "scar.cli telegram", "worker": "-m celery"}


def rows(scene: BenchScene, *, short: bool) -> list[Row]:  # noqa: ARG001
    """All processes of `scar api`, `scar telegram` and `scar worker`, after what came before.

    Shared pages count in every process for RSS, in equal parts for PSS.
    """
    used = {"Rss": 0.0, "Pss": 0.0}
    parts: dict[str, float] = dict.fromkeys(_PARTS, 0.0)
    for pid, command in scene.installation.processes().items():
        for part, words in _PARTS.items():
            if words in command:
                sizes = _memory(pid)
                parts[part] += sizes["Pss"]
                used = {name: used[name] + sizes[name] for name in used}
    beside = ", ".join(f"{part} {value:.0f}" for part, value in parts.items())
    row = f"{used['Pss']:.0f} MB"
    return [
        Row("memory, idle: shared pages once", row, beside, row, f"≤ {_LIMIT} MB",
            used["Pss"] <= _LIMIT),
        Row("memory, idle: RSS added up", f"{used['Rss']:.0f} MB", "", f"{used['Rss']:.0f} MB",
            f"≤ {_LIMIT} MB", used["Rss"] <= _LIMIT),
    ]  # fmt: skip


def pss_of(pid: int) -> float:
    """The megabytes of a process, shared pages in equal parts."""
    return _memory(pid)["Pss"]


def _memory(pid: int) -> dict[str, float]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {
        name: int(size) / 1024 for name, size in re.findall(r"^(Rss|Pss): +(\d+) kB", text, re.M)
    }
