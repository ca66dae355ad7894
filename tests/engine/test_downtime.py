"""Measuring downtime, compared with an independent prober."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from tests.support.compose_project import Project
from tests.support.prober import Prober
from tests.support.waiting import eventually, free_port
from workers.engine.containers import Containers
from workers.engine.downtime import DowntimeProbe, union_seconds

HTTP = """
services:
  web:
    image: IMAGE
    command: httpd -f -p 80
    stop_signal: KILL
    ports: ["127.0.0.1:{port}:80"]
"""


def test_the_measured_downtime_agrees_with_an_independent_prober(
    project: Project, containers: Containers, docker: Callable[..., str]
) -> None:
    port = free_port()
    (web,) = project.up(HTTP.format(port=port))
    differences = []
    for pause in (1.0, 0.4, 0.7):
        outside = Prober(port)
        with DowntimeProbe(containers, project.name) as probe:
            docker("stop", web.name)
            time.sleep(pause)
            docker("start", web.name)
            time.sleep(0.5)
        measured = probe.result()
        assert measured.targets == ("web:80/tcp",)
        assert measured.seconds is not None
        assert measured.seconds > pause
        difference = abs(measured.seconds - outside.stop())
        differences.append(difference - 2 * outside.longest_pause)
    # The probes run ten times a second; on a busy machine one can be late.
    assert median(differences) < 0.2


def test_a_service_that_gets_another_host_port_is_still_probed(
    project: Project, containers: Containers, docker: Callable[..., str]
) -> None:
    (web,) = project.up(HTTP.format(port=0))
    outside = Prober(web.ports[0].host_port)
    eventually(lambda: outside.answered, "the container answers")
    outside.stop()
    with DowntimeProbe(containers, project.name) as probe:
        begun = time.monotonic()
        docker("stop", web.name)
        time.sleep(1.5)
        docker("start", web.name)
        away = time.monotonic() - begun
        assert project.service("web").ports != web.ports
        time.sleep(5.0)  # it would count as away, too, if only the old port were asked
    seconds = probe.result().seconds
    assert seconds is not None
    assert 0.4 < seconds < away + 2.5  # a probe can be late on a busy machine


def test_a_published_port_that_nobody_listens_on_is_not_measured(
    project: Project, containers: Containers
) -> None:
    text = HTTP.format(port=0).replace("httpd -f -p 80", "sleep 100")
    project.up(text)
    with DowntimeProbe(containers, project.name) as probe:
        pass
    assert probe.result().targets == ()
    assert probe.result().seconds is None


def test_without_ports_the_health_check_is_measured(
    project: Project, containers: Containers, docker: Callable[..., str]
) -> None:
    (db,) = project.up(
        "services: {db: {image: IMAGE, command: sleep 100, stop_signal: KILL,"
        " healthcheck: {test: 'true', interval: 300ms}}}"
    )
    eventually(lambda: project.service("db").health == "healthy")
    begun = time.monotonic()
    with DowntimeProbe(containers, project.name) as probe:
        docker("restart", db.name)
        eventually(lambda: project.service("db").health == "healthy")
        time.sleep(0.3)
    downtime = probe.result()
    assert downtime.targets == ("db (health)",)
    assert downtime.seconds is not None
    assert 0 < downtime.seconds < time.monotonic() - begun


def test_overlapping_outages_count_once() -> None:
    assert union_seconds([(3, 5), (0, 1), (4, 6), (4, 4.5)]) == 4
    assert union_seconds([]) == 0
