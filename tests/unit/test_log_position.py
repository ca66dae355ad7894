"""A follower that is interrupted anywhere loses no line of the log, and repeats none."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from scar.jobs.line_filter import LineFilter
from workers.engine.log_lines import LogLine
from workers.engine.log_position import LogPosition, beyond

BEGIN = "2026-01-31T12:00:00.000000000Z"


def at(nanoseconds: int) -> str:
    """Return a time some nanoseconds after two minutes past twelve."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"2026-01-31T12:02:{seconds:02d}.{rest:09d}Z"


@dataclass
class LogFile:
    """A log as the Engine keeps and sends it: from the first line on that is not too early."""

    lines: list[LogLine]

    def since(self, time: str) -> list[LogLine]:
        first = next((n for n, line in enumerate(self.lines) if line.at >= time), None)
        return [] if first is None else self.lines[first:]


# Times of one to a few lines, that may jump back by less than a second, as with two streams.
TIMES = st.lists(
    st.one_of(
        st.integers(0, 3),
        st.integers(0, 900_000_000),
        st.sampled_from([0, 1, 999_999_999, 1_000_000_000]),
    ),
    min_size=1,
    max_size=40,
)


@given(TIMES, st.lists(st.integers(0, 12), max_size=20))
def test_a_follower_interrupted_anywhere_reads_each_line_once(
    times: list[int], reads: list[int]
) -> None:
    log = LogFile([LogLine(at(t), "stdout", f"line {n}") for n, t in enumerate(times)])
    position, read = LogPosition("c", BEGIN), list[str]()
    for most in [*reads, len(times)]:
        new = 0
        for followed in beyond(log.since(position.since), position):
            if followed.is_new:
                if new == most:
                    break  # killed before this line was reported
                new += 1
                assert followed.line is not None
                read.append(followed.line.text)
                position = followed.position
    assert read == [line.text for line in log.lines]


def test_after_a_log_rotation_later_lines_count_as_new() -> None:
    position = LogPosition("c", at(5), 2, 1)
    lines = [LogLine(at(4), "stdout", "before"), LogLine(at(6), "stdout", "after")]
    followed = [(f.line.text, f.is_new) for f in beyond(lines, position) if f.line]
    assert followed == [("before", False), ("after", True)]


def test_a_filter_takes_lines_with_all_words_in_any_order_and_case() -> None:
    takes = LineFilter.of("Timeout  db").takes
    assert takes("DB: a timeout")
    assert not takes("a timeout")
    assert LineFilter().takes("")
