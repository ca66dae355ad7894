"""Containers that crash, loop, run out of memory, get unhealthy, go and come back, on purpose."""

from __future__ import annotations

from tests.support.compose_project import run_docker
from tests.support.waiting import eventually
from tests.watch.conftest import WatchScene


def test_each_thing_that_goes_wrong_is_one_alert_until_it_recovers(scene: WatchScene) -> None:
    eventually(lambda: scene.state("once") == "exited")
    for name in ("crash", "loop", "hog", "sick"):
        scene.file(name).touch()
    run_docker("rm", "-f", scene.project.service("spare").name)

    crash = scene.alert("crash", "exited")
    assert crash.what == "has exited"
    assert "exit code 3" in crash.why
    lines = eventually(lambda: scene.alert("crash", "exited").lines)
    assert "cannot log in with" in lines[0]
    assert "hunter2" not in str(scene.alerts())
    assert "out of memory" in scene.alert("hog", "out_of_memory").what
    assert "exit code 4" in scene.alert("loop", "restart_loop").why
    assert scene.alert("loop", "restart_loop").count >= 3
    assert "health check" in scene.alert("web", "unhealthy").why
    assert scene.alert("spare", "gone").what == "is gone"

    for name in ("crash", "loop", "hog", "sick"):
        scene.file(name).unlink()
    scene.project.up(scene.file("../compose.yaml").read_text())

    for service, rule in (
        ("crash", "exited"),
        ("loop", "restart_loop"),
        ("hog", "out_of_memory"),
        ("web", "unhealthy"),
        ("spare", "gone"),
    ):
        scene.alert(service, rule, is_open=False)
    assert len(scene.alerts()) == 5, [(a.service, a.rule, a.why) for a in scene.alerts()]


def test_a_job_of_our_own_raises_no_alert_and_what_it_leaves_is_compared_at_its_end(
    scene: WatchScene,
) -> None:
    before = {alert.id for alert in scene.alerts()}
    web, spare = scene.project.service("web").name, scene.project.service("spare").name
    job = scene.begin_job()
    run_docker("restart", "-t", "0", web)
    run_docker("kill", spare)
    scene.end_job(job)
    # The watcher looks at both of them then, at one after the other.
    assert scene.alert("spare", "exited").opened_at
    run_docker("start", spare)
    scene.alert("spare", "exited", is_open=False)
    new = [alert for alert in scene.alerts() if alert.id not in before]
    assert [alert.service for alert in new] == ["spare"]


def test_a_watcher_detects_at_its_start_what_ended_while_none_ran(scene: WatchScene) -> None:
    run_docker("kill", scene.project.service("crash").name)
    first = scene.alert("crash", "exited")
    scene.watch.stop()
    run_docker("start", scene.project.service("crash").name)
    run_docker("kill", scene.project.service("hog").name)
    scene.start()
    assert scene.alert("hog", "exited").group
    closed = eventually(lambda: [a for a in scene.alerts() if a.id == first.id and a.closed_at])
    assert closed
    run_docker("start", scene.project.service("hog").name)
    scene.alert("hog", "exited", is_open=False)
