"""An answer that only reads stays small, and says what it leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scar.errors import ScarError
from tests.support.job_context import RecordedReport, job_context, settings_in
from tests.support.waiting import eventually
from workers.engine.text import SHOWN_BYTES, shortened
from workers.facts.logs import MOST_BYTES, log_tail
from workers.runtime.reporter import JobReporter


def test_a_log_of_many_long_lines_is_cut_to_a_megabyte() -> None:
    lines = [f"{number} " + "x" * 4000 for number in range(5000)]
    tail = log_tail("web", lines, left_out=7)
    assert len(json.dumps(tail.to_json())) < MOST_BYTES * 1.1
    assert tail.lines == tuple(lines[-tail.count :])
    assert 200 < tail.count < 300
    [notice] = tail.notices
    assert notice.startswith(f"{5007 - tail.count} older lines are left out")
    assert "docker logs web" in notice


def test_a_log_that_fits_is_complete_and_has_no_notice() -> None:
    tail = log_tail("web", ["a", "b"], left_out=0)
    assert (tail.lines, tail.count, tail.notices) == (("a", "b"), 2, ())
    assert log_tail("web", [], left_out=0).lines == ()


def test_a_long_line_is_cut_at_a_character_and_says_so() -> None:
    line = "é" * SHOWN_BYTES + "x"
    cut = shortened(line)
    assert cut == "é" * (SHOWN_BYTES // 2) + f" [... {SHOWN_BYTES + 1} bytes of this line cut]"
    assert shortened("é" * (SHOWN_BYTES // 2)) == "é" * (SHOWN_BYTES // 2)


def test_a_secret_at_the_cut_is_masked_as_a_whole(tmp_path: Path) -> None:
    report = RecordedReport()
    context = job_context("follow", {}, settings_in(tmp_path), told=report)
    context.steps.output("x" * (SHOWN_BYTES - 10) + " ghp_" + "aB3dE5gH7j" * 4, stamp="[now] ")
    [(_, output)] = report.lines
    assert output["line"].startswith("[now] xxx")
    assert "aB3d" not in output["line"]


class LedgerAway:
    """A ledger whose Redis does not answer."""

    def report(self, *_: object, **__: object) -> bool:
        raise ScarError("redis_unavailable", "away", "")

    def renew(self, *_: object) -> tuple[bool, str]:
        raise ScarError("redis_unavailable", "away", "")


def test_a_log_without_end_waits_where_redis_is_away_instead_of_filling_the_memory() -> None:
    parts: list[Any] = [
        LedgerAway(),
        SimpleNamespace(seal=lambda *_: "sealed"),
        SimpleNamespace(id="01JZ", cancellation=""),
        SimpleNamespace(project="shop", changes=False),
        lambda _: None,
    ]
    taken = 0
    with JobReporter(*parts) as reporter:
        for _ in range(2):  # one batch is tried again and again, another waits
            eventually(lambda: reporter.await_room(0.0), "there is room for a batch")
            while reporter.await_room(0.0):
                reporter.output(["x" * 1000] * 100, {})
                taken += 100_000
        assert not reporter.await_room(0.01)
    assert taken < 2_000_000
