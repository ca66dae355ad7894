"""What containers use is sampled from a real Engine, and comes back over a time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from scar.alerts.alert import Alert
from scar.jobs.results.json_record import present
from scar.projects import ProjectsFile
from tests.support.compose_project import Project
from tests.support.job_context import job_context, settings_in
from tests.support.waiting import eventually
from workers.engine.connection import Engine
from workers.engine.usage_counters import UsageReader
from workers.facts.stats import HANDLER
from workers.state.usage_ring import UsageRings
from workers.watch.usage_sampler import UsageSampler

COMPOSE = """\
services:
  busy:
    image: IMAGE
    command: ["sh", "-c", "while :; do :; done"]
    stop_signal: KILL
    cpus: 0.2
  gone:
    image: IMAGE
    command: ["true"]
"""


class Clock:
    """Clocks under the test's hand."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def _wait_until_it_has_worked(engine: Engine, container: str) -> None:
    def used() -> int:
        with engine.api() as api:
            stats = api.stats(container, stream=False, one_shot=True)
        return int(stats["cpu_stats"]["cpu_usage"]["total_usage"])

    before = used()
    eventually(lambda: used() > before, "it has used the processor")


def test_running_containers_are_sampled_and_shown_over_a_time(
    tmp_path: Path, project: Project, engine: Engine
) -> None:
    project.up(COMPOSE)
    settings = settings_in(tmp_path)
    clock = Clock()
    sampler = UsageSampler(settings, engine=engine, wall=clock, monotonic=clock)
    sampler.sample()  # there is no project yet
    entry = {"workspace": "/w/shop", "production": "/p/shop", "auto_detect": True}
    content = json.dumps({"shop": {**entry, "compose_project": project.name}})
    settings.projects_file.write_text(content)
    busy = project.service("busy").name
    eventually(lambda: project.service("gone").state == "exited", "the other has ended")
    for _ in range(3):
        sampler.sample()
        clock.now += 10
        _wait_until_it_has_worked(engine, busy)
    rings = UsageRings(settings.state_dir / "projects" / "shop")
    samples = rings.of(busy).since(int(clock.now) - 300, int(clock.now))
    assert len(samples) == 2  # the first reading has nothing to be compared with
    assert all(sample.cpu > 0 and sample.memory > 0 for sample in samples)
    assert [path.stem for path in (settings.state_dir / "projects/shop/usage").iterdir()] == [busy]

    context = job_context(
        "stats", {"since": "5m"}, settings, project=ProjectsFile.of(settings).get("shop")
    )
    context.wall = clock
    at = int(clock.now * 1000) - 20_000
    about = ("default", "shop", busy, "busy", "exited", "critical", "has exited", "Why", at, at)
    context.alerts = lambda: [Alert("a", "a", *about), replace(Alert("b", "b", *about), project="")]
    answer = HANDLER.answer(context)
    assert [row.cpu_percent for row in answer.containers] == [round(samples[-1].cpu, 1)]
    history = present(answer.history)
    assert history is not None
    (series,) = history.containers
    assert [(mark.at, mark.kind) for mark in history.marks] == [(at, "alert")]
    assert (series.name, history.step_seconds, len(series.cpu)) == (busy, 10, 30)
    assert [value is not None for value in series.cpu] == [False] * 27 + [True, True, False]
    assert [c for c in (series.network_received, series.disk_read) if len(c) == 30]


def test_the_kernels_files_say_the_same_where_they_can_be_read(
    tmp_path: Path, project: Project, engine: Engine
) -> None:
    (container,) = project.up(COMPOSE.partition("  gone")[0])
    with engine.api() as api:
        pid = api.inspect_container(container.id)["State"]["Pid"]
    process, group = tmp_path / "proc" / str(pid), tmp_path / "cgroup" / "docker" / container.id
    (process / "net").mkdir(parents=True)
    group.mkdir(parents=True)
    (tmp_path / "cgroup" / "cgroup.controllers").write_text("cpu io memory\n")
    (process / "cgroup").write_text(f"0::/docker/{container.id}\n")
    (process / "net/dev").write_text(
        "Inter-|   Receive\n face |bytes\n    lo: 9 0 0 0 0 0 0 0 9 0\n"
        "  eth0: 70 1 0 0 0 0 0 0 30 2 0 0 0 0 0 0\n"
    )
    (group / "cpu.stat").write_text("usage_usec 5000\nuser_usec 1\n")
    (group / "memory.current").write_text("9000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 1000\n")
    (group / "io.stat").write_text("8:0 rbytes=4 wbytes=6 rios=1\n8:16 rbytes=1 wbytes=0\n")
    reader = UsageReader(engine, cgroups=tmp_path / "cgroup", processes=tmp_path / "proc")
    counters = reader.read(container.id)
    assert counters is not None
    assert (counters.cpu, counters.memory) == (5_000_000, 8000)
    assert (counters.received, counters.sent) == (70, 30)
    assert (counters.read, counters.written) == (5, 6)
    # the process with this number is not the container's any more: the Engine is asked
    (process / "cgroup").write_text("0::/docker/another\n")
    asked = reader.read(container.id)
    assert asked is not None
    assert asked.memory != 8000
    assert reader.read("0" * 64) is None
