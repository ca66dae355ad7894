"""Reading the last lines of containers' logs."""

from __future__ import annotations

import pytest

from tests.support.compose_project import Project
from tests.support.waiting import eventually
from workers.engine.container import Container
from workers.engine.logs import ContainerLogs


def run(project: Project, script: str, *, tty: bool = False, then: str = "sleep 100") -> Container:
    """Start a container that runs `script`, and wait until its output is complete."""
    (project.folder / "script.sh").write_text(f"{script}\ntouch /done/it\n{then}\n")
    (project.folder / "done").mkdir()
    compose = f"""
services:
  app:
    image: IMAGE
    command: sh /script.sh
    stop_signal: KILL
    tty: {str(tty).lower()}
    volumes: ["./script.sh:/script.sh:ro", "./done:/done"]
"""
    (container,) = project.up(compose)
    eventually(lambda: (project.folder / "done/it").exists())
    return container


def test_both_streams_are_merged_in_order_of_time(project: Project, logs: ContainerLogs) -> None:
    script = "for i in 1 2 3; do echo out $i; usleep 20000; echo err $i >&2; usleep 20000; done"
    app = run(project, script)
    tail = logs.tail(app.id, 4)
    assert [(line.stream, line.text) for line in tail.lines] == [
        ("stdout", "out 2"), ("stderr", "err 2"), ("stdout", "out 3"), ("stderr", "err 3")
    ]  # fmt: skip
    assert tail.cut == 0
    assert [line.at for line in tail.lines] == sorted(line.at for line in tail.lines)
    assert tail.lines[0].time.tzinfo is not None


@pytest.mark.parametrize("tty", [False, True])
def test_control_sequences_and_bad_bytes_are_made_harmless(
    project: Project, logs: ContainerLogs, *, tty: bool
) -> None:
    script = r"""
printf '\033[31mred\033[0m <b> _*[]` $(x)\n'
printf 'bad \377\376 utf-8\n'
printf 'caf\303'; usleep 50000; printf '\251 \342\234\223\n'
head -c 100000 /dev/zero | tr '\0' x; echo
printf '\033]0;title\007after\n'
printf '10%%\r50%%\r100%%\n'
printf 'no end'"""
    app = run(project, script, tty=tty)
    texts = [line.text for line in logs.tail(app.id, 7).lines]
    # The Engine keeps an unfinished line out of its log while the container runs.
    assert texts == [
        "red <b> _*[]` $(x)",
        "bad \ufffd\ufffd utf-8",
        "café ✓",
        "x" * 100_000,
        "after",
        "100%",
    ]
    last_two = [line.text for line in logs.tail(app.id, 2).lines]
    assert last_two == ["after", "100%"]
    three = logs.tail(app.id, 3).lines
    assert three[0].text == "x" * 100_000
    assert all(line.at.endswith("Z") and len(line.at) == 30 for line in three)


def test_an_unfinished_line_is_shown_once_the_container_has_exited(
    project: Project, logs: ContainerLogs
) -> None:
    app = run(project, "echo first; printf 'no end'", then="exit 0")
    eventually(lambda: project.service("app").state == "exited")
    assert [line.text for line in logs.tail(app.id, 10).lines] == ["first", "no end"]


def test_memory_is_bounded_and_the_number_of_cut_lines_is_reported(
    project: Project, logs: ContainerLogs
) -> None:
    app = run(project, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
    tail = logs.tail(app.id, 1000, memory_bytes=10_000)
    assert tail.lines[-1].text == "line 2999"
    assert len(tail.lines) < 200
    assert len(tail.lines) + tail.cut == 1000


def test_a_line_longer_than_the_limit_says_how_much_was_cut(
    project: Project, logs: ContainerLogs
) -> None:
    app = run(project, "head -c 1500000 /dev/zero | tr '\\0' x; echo; echo after")
    long, after = logs.tail(app.id, 2).lines
    assert after.text == "after"
    assert long.text.endswith("x [... 451425 bytes of this line cut]")
