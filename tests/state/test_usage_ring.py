"""The figures of a container in a file that never grows, whatever becomes of its writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.state.usage_ring import UsageRing, UsageRings, UsageSample

NOW = 1_790_000_040  # the beginning of a minute


def sample(at: int, cpu: float = 1.0) -> UsageSample:
    return UsageSample(at, cpu, 4096 * 1024, 1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage" / "web.ring"


def test_an_hour_is_kept_at_ten_seconds_and_a_day_at_one_minute(path: Path) -> None:
    ring = UsageRing(path)
    for at in range(NOW - 2 * 3600, NOW, 10):
        ring.add(sample(at, cpu=at % 60))
    fine = ring.since(NOW - 3600, NOW)
    assert [row.at for row in fine] == list(range(NOW - 3600, NOW, 10))
    assert fine[-1] == sample(NOW - 10, cpu=50)
    coarse = ring.since(NOW - 86_400, NOW)
    assert [row.at for row in coarse] == list(range(NOW - 2 * 3600, NOW, 60))
    assert {row.cpu for row in coarse} == {25.0}
    assert coarse[0].memory == 4096 * 1024
    assert path.stat().st_size == 57_632


def test_what_is_older_than_a_day_is_overwritten_or_left_out(path: Path) -> None:
    ring = UsageRing(path)
    for at in (NOW - 86_460, NOW - 86_340, NOW - 60):
        ring.add(sample(at))
    assert [row.at for row in ring.since(NOW - 86_400, NOW)] == [NOW - 86_340, NOW - 60]
    ring.add(sample(NOW + 60))
    assert [row.at for row in ring.since(NOW - 86_340, NOW + 120)] == [NOW - 60, NOW + 60]


def test_a_usage_file_keeps_gaps_and_can_be_continued_by_another_process(path: Path) -> None:
    UsageRing(path).add(sample(NOW))
    UsageRing(path).add(sample(NOW + 40))
    assert [row.at for row in UsageRing(path).since(NOW - 600, NOW + 60)] == [NOW, NOW + 40]
    assert [row.at for row in UsageRing(path).since(NOW - 6000, NOW + 60)] == [NOW]


def test_a_partly_written_sample_is_ignored(path: Path) -> None:
    ring = UsageRing(path)
    for at in (NOW, NOW + 10, NOW + 20):
        ring.add(sample(at))
    offset = 32 + 32 * ((NOW + 10) // 10 % 360)
    content = bytearray(path.read_bytes())
    content[offset + 20 : offset + 32] = bytes(12)
    path.write_bytes(content)
    assert [row.at for row in ring.since(NOW - 600, NOW + 60)] == [NOW, NOW + 20]


@pytest.mark.parametrize("content", [b"", b"half", b"another thing" * 5000, bytes(57_632)])
def test_a_damaged_usage_file_is_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    ring = UsageRing(path)
    assert ring.since(NOW - 600, NOW) == []
    ring.add(sample(NOW))
    assert [row.at for row in ring.since(NOW - 600, NOW + 10)] == [NOW]
    assert path.stat().st_size == 57_632


def test_a_link_in_place_of_a_usage_file_is_not_followed(path: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    path.parent.mkdir()
    path.symlink_to(theirs)
    with pytest.raises(OSError, match=r"web\.ring"):
        UsageRing(path).add(sample(NOW))
    assert theirs.read_text() == "theirs"


def test_a_ring_without_a_sample_for_a_day_is_removed(tmp_path: Path) -> None:
    rings = UsageRings(tmp_path)
    rings.of("web").add(sample(NOW))
    written = (tmp_path / "usage" / "web.ring").stat().st_mtime
    rings.drop_old(written + 86_000)
    assert rings.of("web").since(NOW - 600, NOW + 10)
    rings.drop_old(written + 86_500)
    assert not rings.of("web").since(NOW - 600, NOW + 10)
