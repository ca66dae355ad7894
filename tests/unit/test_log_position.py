"""A follower that is interrupted anywhere loses no line of the log, and repeats none."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from scar.jobs.line_filter import LineFilter
from workers.engine.log_lines import LogLine
from workers.engine.log_position import LogPosition, LogReader

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


def batches(lines: list[LogLine], size: int) -> list[list[LogLine]]:
    """Cut lines as the Engine's bytes may be cut."""
    return [lines[n : n + size] for n in range(0, len(lines), size)]


@given(TIMES, st.lists(st.integers(0, 12), max_size=20), st.integers(1, 5))
def test_a_follower_interrupted_anywhere_reads_each_line_once(
    times: list[int], reads: list[int], size: int
) -> None:
    log = LogFile([LogLine(at(t), "stdout", f"line {n}") for n, t in enumerate(times)])
    position, read = LogPosition("c", BEGIN), list[str]()
    for most in [*reads, len(times)]:
        reader, new = LogReader(position), 0
        for batch in batches(log.since(reader.since), size):
            lines = reader.take(batch)
            new += len(lines.new)
            if new > most:
                break  # killed before these were reported
            read += [line.text for line in lines.new]
            position = lines.position
    assert read == [line.text for line in log.lines]


@given(TIMES, st.data())
def test_a_late_follower_reads_the_past_and_goes_on_with_the_others(
    times: list[int], data: st.DataObject
) -> None:
    """The others' source has the log from `floor` on, and more while the late one catches up."""
    log = LogFile([LogLine(at(t), "stdout", f"line {n}") for n, t in enumerate(times)])
    now = data.draw(st.integers(0, len(times)))
    floor = data.draw(st.sampled_from([BEGIN, *(line.at for line in log.lines)]))
    ours = log.since(floor)
    if log.lines.index(ours[0]) >= now:
        return  # the others' first line is not written yet: then its time is not past either
    reader = LogReader(LogPosition("c", BEGIN))
    reader.count_from(floor)
    read = [*reader.take(log.since(reader.since)[:now]).new]
    reader.go_on_at_floor()
    assert reader.since == floor
    for batch in batches(ours, 3):
        read += reader.take(batch).new
    assert [line.text for line in read] == [line.text for line in log.lines]


def test_after_a_log_rotation_later_lines_count_as_new() -> None:
    position = LogPosition("c", at(5), 2, 1)
    lines = [LogLine(at(4), "stdout", "before"), LogLine(at(6), "stdout", "after")]
    read = LogReader(position).take(lines)
    assert [line.text for line in read.before] == ["before"]
    assert [line.text for line in read.new] == ["after"]


def test_a_filter_takes_lines_with_all_words_in_any_order_and_case() -> None:
    takes = LineFilter.of("Timeout  db").takes
    assert takes("DB: a timeout")
    assert not takes("a timeout")
    assert LineFilter().takes("")
