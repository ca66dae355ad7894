"""`/docker_stats`: what is typed, what is answered, and the picture."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from scar.access import Actor
from scar.charts.scale import nice_top, shown_value, time_labels
from scar.commands.stats import COMMAND
from scar.commands.usage_picture import sparkline
from scar.document import Document
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.jobs.results.stats import (
    ContainerUsage,
    StatsResult,
    UsageHistory,
    UsageMark,
    UsageSeries,
)
from scar.jobs.time_span import seconds_of
from scar.projects import ProjectsFile

START = 1_790_000_000


@pytest.fixture
def projects(tmp_path: Path) -> ProjectsFile:
    path = tmp_path / "projects.json"
    entries = {
        name: {"workspace": f"/w/{name}", "production": f"/p/{name}", "containers": [name]}
        for name in ("shop", "6h")
    }
    path.write_text(json.dumps(entries))
    return ProjectsFile(path)


@pytest.mark.parametrize(
    ("typed", "project", "since"),
    [
        ("", "shop", None),
        ("shop", "shop", None),
        ("shop 7h", "shop", "7h"),
        ("7H shop", "shop", "7h"),
        ("90m", "shop", "90m"),
        ("1d", "shop", "1d"),
        ("6h", "6h", None),
    ],
)
def test_a_project_and_a_time_are_told_apart(
    projects: ProjectsFile, typed: str, project: str, since: str | None
) -> None:
    invocation = COMMAND.parse(typed.split(), projects, lambda: projects.get("shop"))
    assert invocation.project is not None
    assert invocation.project.name == project
    assert invocation.args.get("since") == since


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("shop 6", "'6' is not a time from 5m to 24h. Did you mean '6h'?"),
        ("shop 25h", "'25h' is not a time from 5m to 24h."),
        ("4m", "'4m' is not a time"),
        ("1h 2h", "once each"),
        ("shop 1h more", "a project and a time, not 3 words"),
    ],
)
def test_what_is_no_time_is_refused_with_a_guess(
    projects: ProjectsFile, typed: str, words: str
) -> None:
    with pytest.raises(ScarError) as refused:
        COMMAND.parse(typed.split(), projects, lambda: projects.get("shop"))
    assert words in refused.value.message


def test_times_are_from_five_minutes_to_a_day() -> None:
    assert [seconds_of(span) for span in ("5m", "1440m", "24h", "1d")] == [300, *[86_400] * 3]


def shown(history: UsageHistory | None) -> Document:
    usage = ContainerUsage("web", 3.5, 40 << 20, 1 << 30, 1, 2, 3, 4, 5)
    result = StatsResult("shop", (usage,), history) if history else StatsResult("shop", (usage,))
    who = Actor("telegram", "1", "Ada")
    args = {"since": "1h"} if history else {}
    request = Request("01J", "stats", "shop", "default", args, who, False, False, 0, 0)
    return COMMAND.view(Job(request, JobState.SUCCEEDED, result=result.to_json()))


def history(count: int = 360, names: int = 1) -> UsageHistory:
    values = tuple(None if 50 < n < 60 else n for n in range(count))
    rows = tuple(
        UsageSeries(f"web{n}", values, values, values, values, values, values)
        for n in range(1, names)
    )
    mark = UsageMark((START + 600) * 1000, "deploy", "Ada")
    web = UsageSeries("web", values, values, values, values, values, values)
    return UsageHistory(START * 1000, 10, (web, *rows), (mark,))


def test_without_a_time_the_values_are_shown_as_they_are_now() -> None:
    document = shown(None)
    assert document.text == (
        "📈 Shop - Container Stats\n\nweb\n🧮 CPU: 3.5%\n🧠 Memory: 40.0 MiB of 1.0 GiB\n"
        "🌐 Network: 1 B in, 2 B out\n💽 Disk: 3 B read, 4 B written"
    )
    assert document.picture is None


def test_over_a_time_the_text_says_what_the_picture_shows() -> None:
    document = shown(history())
    assert "📈 Shop - Container Stats, last 1h" in document.text
    assert "🧮 CPU: 3.5% ▁▂▂▃▄▄▅▆▆▇██ 0.0% – 359.0%" in document.text
    assert "🚀 Meanwhile: 1 deploy" in document.text
    assert document.picture is not None
    assert document.picture.name == "shop-stats.png"
    assert shown(history()) == document


def test_before_anything_was_measured_no_picture_is_sent() -> None:
    document = shown(UsageHistory(START * 1000, 10, (), ()))
    assert "Nothing was measured in this time yet" in document.text
    assert document.picture is None


def test_a_short_past_is_said_to_be_short() -> None:
    assert "Measured for" not in shown(history()).text
    cpu = (*[None] * 348, *range(12))
    web = UsageSeries("web", cpu, cpu, cpu, cpu, cpu, cpu)
    text = shown(UsageHistory(START * 1000, 60, (web,), ())).text
    assert "💡 Measured for 12m so far: there are no figures of the time before." in text


@pytest.mark.parametrize(("count", "names"), [(1, 1), (360, 12)])
def test_the_picture_can_be_sent_to_a_phone(count: int, names: int) -> None:
    picture = shown(history(count, names)).picture
    assert picture is not None
    content = picture.png()
    drawn = Image.open(io.BytesIO(content))
    assert drawn.format == "PNG"
    assert drawn.width == 1080
    assert drawn.height < 2 * drawn.width  # Telegram: no more than 20 times as high
    assert len(content) < 1 << 20


def test_a_gap_in_the_figures_is_a_gap_in_the_line() -> None:
    assert sparkline([None, 1.0, None, 2.0]) == "▅ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([None]) == ""


@pytest.mark.parametrize(
    ("greatest", "unit", "top"),
    [
        (0, "percent", "1%"),
        (98, "percent", "120%"),
        (360, "percent", "400%"),
        (0, "bytes", "1 KiB"),
        (290 << 20, "bytes", "400 MiB"),
        (1000 << 20, "bytes", "2 GiB"),
        (1100 << 20, "bytes", "2 GiB"),
        (150 << 10, "rate", "200 KiB/s"),
    ],
)
def test_an_axis_ends_at_a_round_number(greatest: float, unit: str, top: str) -> None:
    assert shown_value(nice_top(greatest, unit), unit) == top


@pytest.mark.parametrize("seconds", [300, 3600, 21_600, 86_400])
def test_the_time_axis_has_a_few_round_times(seconds: int) -> None:
    labels = list(time_labels(START, seconds))
    assert 2 <= len(labels) <= 7
    assert all(at % 60 == 0 for at, _ in labels)
