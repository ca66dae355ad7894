"""One run: as whom, within which limits, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from scar.errors import ScarError
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from workers.agent.command import agent_command
from workers.agent.identity import NOBODY, identity_for
from workers.agent.output import LONGEST_LINE, MOST_CHARACTERS, MOST_LINES, AgentOutput
from workers.agent.run import AgentRun, end_leftovers

from .conftest import own

OWNER = 54321


class Agent:
    """The small agent in a workspace of its own."""

    def __init__(self, public: Path, line: str) -> None:
        self.public = public
        self.line = line
        self.workspace = public / "workspace"
        self.workspace.mkdir()
        own(self.workspace, OWNER)
        self.told: list[str] = []
        self.output = AgentOutput(self.told.append)
        self.id = f"run-{uuid4().hex}"

    def made(self, instruction: str) -> AgentRun:
        identity = identity_for(self.workspace, self.public / "homes")
        command = agent_command("shop", self.line, instruction)
        return AgentRun(self.id, command, identity, self.workspace)

    def run(
        self, *lines: str, seconds: float = 60, check: Callable[[], None] = lambda: None
    ) -> int:
        lock = os.open(self.public / "lock", os.O_RDWR | os.O_CREAT)
        run = self.made("\n".join(lines))
        run.require_possible([])
        try:
            return run.run(lock, seconds, check, self.output.line)
        finally:
            os.close(lock)

    def left(self) -> list[str]:
        """Processes that carry the run's mark."""
        mark = f"AGENT_RUN={self.id}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if folder.stat().st_uid == OWNER and mark in (folder / "environ").read_bytes():
                        found.append(folder.name)
                except OSError:
                    continue
        return found


@pytest.fixture
def agent(public: Path, program: str) -> Agent:
    return Agent(public, program)


def test_who_it_is_and_what_it_knows(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCAR_SECRET_KEY", "SCAR_REDIS_URL", "DOCKER_HOST", "REDIS_PASSWORD", "MY_OWN"):
        monkeypatch.setenv(name, "not-for-agents")
    assert agent.run("facts facts.json /var/run/docker.sock") == 0
    found = json.loads((agent.workspace / "facts.json").read_text())
    assert set(found["uids"]) == {OWNER}
    assert 0 not in found["gids"]
    assert found["groups"] == []
    status = found["status"]
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert found["descriptors"] == []
    assert found["stdin"] == "/dev/null"
    assert found["cwd"] == str(agent.workspace)
    assert "not-for-agents" not in json.dumps(found["env"])
    assert set(found["env"]) <= {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_CTYPE", "TERM", "NO_COLOR",
        "AGENT_RUN",
    }  # fmt: skip
    assert Path(found["env"]["HOME"]).stat().st_uid == OWNER


def test_the_instruction_is_the_last_argument(agent: Agent) -> None:
    said = 'facts f.json\nsay $HOME `id` ; rm -rf / "x y"'
    agent.run(said)
    assert json.loads((agent.workspace / "f.json").read_text())["arguments"] == [said]
    assert agent.told == ["$HOME `id` ; rm -rf / x y"]


def test_the_instruction_on_standard_input(agent: Agent) -> None:
    agent.line += " --stdin -"
    assert agent.run("facts f.json", "say hello") == 0
    assert json.loads((agent.workspace / "f.json").read_text())["arguments"] == ["--stdin"]
    assert agent.told == ["hello"]


def test_the_exit_code(agent: Agent) -> None:
    assert agent.run("say going", "exit 7") == 7
    assert agent.output.last == ("going",)


def test_a_hundred_megabytes_are_read_and_dropped(agent: Agent) -> None:
    before = _memory()
    assert agent.run("flood 100", "say last words") == 0
    assert _memory() - before < 32 * 1024
    assert len(agent.told) <= MOST_LINES + 1
    assert sum(len(line) for line in agent.told) <= MOST_CHARACTERS + LONGEST_LINE
    assert "not shown" in agent.told[-1]
    assert agent.output.last[-1] == "last words"


def test_a_line_of_megabytes_is_cut(agent: Agent) -> None:
    assert agent.run("long 3000000") == 0
    assert len(agent.told) == 1
    assert len(agent.told[0]) < LONGEST_LINE + 100
    assert "more characters" in agent.told[0]


def test_what_it_leaves_behind_ends_with_it(agent: Agent) -> None:
    assert agent.run("leave pids") == 0
    assert len((agent.workspace / "pids").read_text().split()) >= 4
    assert agent.left() == []


def test_cancelled_although_it_ignores_every_signal(agent: Agent) -> None:
    pids = agent.workspace / "pids"
    asked: list[Stopwatch] = []

    def check() -> None:
        if pids.exists():
            asked.append(Stopwatch())
            raise ScarError("cancelled", "Cancelled", "")

    with pytest.raises(ScarError, match="Cancelled"):
        agent.run("ignore", "leave pids", "sleep 60", check=check)
    assert asked[0].seconds() < 5
    assert agent.left() == []


def test_a_fork_bomb_ends_with_the_job(agent: Agent) -> None:
    begun = Stopwatch()
    with pytest.raises(ScarError, match="longer than"):
        agent.run("bomb", seconds=1.5)
    assert begun.seconds() < 1.5 + 5 + 1
    assert agent.left() == []


def test_too_long(agent: Agent) -> None:
    with pytest.raises(ScarError, match="longer than") as caught:
        agent.run("sleep 60", seconds=0.5)
    assert caught.value.code == "timeout"
    assert agent.left() == []


def test_what_is_left_when_the_supervisor_is_killed_too(agent: Agent) -> None:
    """Only the mark is left to know them by."""
    script = (
        "import os, sys; from pathlib import Path\n"
        "from workers.agent.run import AgentRun; from workers.agent.command import AgentCommand\n"
        "from workers.agent.identity import identity_for\n"
        "line, workspace, homes, id = sys.argv[1:]\n"
        "run = AgentRun(id, AgentCommand((*line.split(), 'leave pids\\nsleep 600')), "
        "identity_for(Path(workspace), Path(homes)), Path(workspace))\n"
        "run.run(os.open('/dev/null', os.O_RDONLY), 600, lambda: None, print)\n"
    )
    arguments = [agent.line, str(agent.workspace), str(agent.public / "homes"), agent.id]
    worker = subprocess.Popen([sys.executable, "-c", script, *arguments])
    pids = agent.workspace / "pids"
    eventually(lambda: pids.exists() and pids.read_text(), "the agent's children")
    for pid in (_child(worker.pid), worker.pid):
        os.kill(pid, signal.SIGKILL)
    worker.wait()
    assert agent.left() != []
    end_leftovers(agent.id, OWNER)
    eventually(lambda: not agent.left(), "nothing is left")


def test_a_program_that_is_not_there(agent: Agent) -> None:
    agent.line = "no-such-agent-anywhere --yes"
    with pytest.raises(ScarError, match="no-such-agent-anywhere") as caught:
        agent.run("say hello")
    assert caught.value.code == "project_invalid"


@pytest.mark.parametrize("what", ["workspace", "program"])
def test_a_folder_that_it_cannot_pass(agent: Agent, what: str) -> None:
    closed = agent.public / "closed"
    closed.mkdir(mode=0o700)
    if what == "workspace":
        agent.workspace = closed / "workspace"
        agent.workspace.mkdir()
        own(agent.workspace, OWNER)
    else:
        (closed / "agent").write_text("#!/bin/sh\n")
        (closed / "agent").chmod(0o755)
        agent.line = str(closed / "agent")
    with pytest.raises(ScarError, match=str(closed)) as caught:
        agent.run("say hello")
    assert f"chmod o+x {closed}" in caught.value.hint


def test_a_socket_that_it_could_reach(agent: Agent) -> None:
    open_to_all = agent.public / "docker.sock"
    open_to_all.touch()
    open_to_all.chmod(0o666)
    with pytest.raises(ScarError, match=r"docker\.sock") as caught:
        agent.made("say hello").require_possible([str(open_to_all)])
    assert caught.value.code == "forbidden"


def test_never_root(agent: Agent) -> None:
    own(agent.workspace, 0)
    identity = identity_for(agent.workspace, agent.public / "homes")
    assert (identity.uid, identity.handed_over) == (NOBODY, True)
    assert identity.gid != 0


def _memory() -> int:
    """The most this process has ever had, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])
