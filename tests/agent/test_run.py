"""One run of an agent: its user, its limits, and the end of all its processes."""

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
from workers.agent.leftovers import kill_leftovers
from workers.agent.output import LONGEST_LINE, MOST_CHARACTERS, MOST_LINES, AgentOutput
from workers.agent.run import AgentRun

from .conftest import own

OWNER = 54321


class Agent:
    """The test agent in a workspace of its own, and the lines of output that it has shown."""

    def __init__(self, public: Path, line: str) -> None:
        self.public = public
        self.line = line
        self.workspace = public / "workspace"
        self.workspace.mkdir()
        own(self.workspace, OWNER)
        self.shown: list[str] = []
        self.output = AgentOutput(self.shown.append)
        self.id = f"run-{uuid4().hex}"

    def prepare(self, instruction: str) -> AgentRun:
        identity = identity_for(self.workspace, self.public / "homes")
        command = agent_command("shop", self.line, instruction)
        return AgentRun(self.id, command, identity, self.workspace)

    def run(
        self, *lines: str, seconds: float = 60, check: Callable[[], None] = lambda: None
    ) -> int:
        lock = os.open(self.public / "lock", os.O_RDWR | os.O_CREAT)
        run = self.prepare("\n".join(lines))
        run.require_possible([])
        try:
            return run.run(lock, seconds, check, self.output.add_line)
        finally:
            os.close(lock)

    def remaining(self) -> list[str]:
        """Return the processes whose environment names the run."""
        mark = f"AGENT_RUN={self.id}".encode()
        pids = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if folder.stat().st_uid == OWNER and mark in (folder / "environ").read_bytes():
                        pids.append(folder.name)
                except OSError:
                    continue
        return pids


@pytest.fixture
def agent(public: Path, program: str) -> Agent:
    return Agent(public, program)


def test_the_agent_has_no_privileges_and_none_of_the_workers_environment(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SCAR_SECRET_KEY", "SCAR_REDIS_URL", "DOCKER_HOST", "REDIS_PASSWORD", "MY_OWN"):
        monkeypatch.setenv(name, "not-for-agents")
    assert agent.run("facts facts.json /var/run/docker.sock") == 0
    facts = json.loads((agent.workspace / "facts.json").read_text())
    assert set(facts["uids"]) == {OWNER}
    assert 0 not in facts["gids"]
    assert facts["groups"] == []
    status = facts["status"]
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert facts["descriptors"] == []
    assert facts["stdin"] == "/dev/null"
    assert facts["cwd"] == str(agent.workspace)
    assert "not-for-agents" not in json.dumps(facts["env"])
    assert set(facts["env"]) <= {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_CTYPE", "TERM", "NO_COLOR",
        "AGENT_RUN",
    }  # fmt: skip
    assert Path(facts["env"]["HOME"]).stat().st_uid == OWNER


def test_the_instruction_is_one_argument_that_no_shell_interprets(agent: Agent) -> None:
    instruction = 'facts f.json\nsay $HOME `id` ; rm -rf / "x y"'
    agent.run(instruction)
    assert json.loads((agent.workspace / "f.json").read_text())["arguments"] == [instruction]
    assert agent.shown == ["$HOME `id` ; rm -rf / x y"]


def test_the_instruction_can_go_to_standard_input(agent: Agent) -> None:
    agent.line += " --stdin -"
    assert agent.run("facts f.json", "say hello") == 0
    assert json.loads((agent.workspace / "f.json").read_text())["arguments"] == ["--stdin"]
    assert agent.shown == ["hello"]


def test_the_exit_code_and_the_last_lines_are_returned(agent: Agent) -> None:
    assert agent.run("say going", "exit 7") == 7
    assert agent.output.last == ("going",)


def test_a_hundred_megabytes_of_output_are_cut_and_need_little_memory(agent: Agent) -> None:
    before = _memory()
    assert agent.run("flood 100", "say last words") == 0
    assert _memory() - before < 32 * 1024
    assert len(agent.shown) <= MOST_LINES + 1
    assert sum(len(line) for line in agent.shown) <= MOST_CHARACTERS + LONGEST_LINE
    assert "not shown" in agent.shown[-1]
    assert agent.output.last[-1] == "last words"


def test_a_very_long_line_is_cut(agent: Agent) -> None:
    assert agent.run("long 3000000") == 0
    assert len(agent.shown) == 1
    assert len(agent.shown[0]) < LONGEST_LINE + 100
    assert "more characters" in agent.shown[0]


def test_background_processes_end_with_the_agent(agent: Agent) -> None:
    assert agent.run("leave pids") == 0
    assert len((agent.workspace / "pids").read_text().split()) >= 4
    assert agent.remaining() == []


def test_an_agent_that_ignores_signals_is_cancelled_within_5_seconds(agent: Agent) -> None:
    pids = agent.workspace / "pids"
    cancelled: list[Stopwatch] = []

    def check() -> None:
        if pids.exists():
            cancelled.append(Stopwatch())
            raise ScarError("cancelled", "Cancelled", "")

    with pytest.raises(ScarError, match="Cancelled"):
        agent.run("ignore", "leave pids", "sleep 60", check=check)
    assert cancelled[0].seconds() < 5
    assert agent.remaining() == []


def test_a_fork_bomb_is_killed_at_the_time_limit(agent: Agent) -> None:
    watch = Stopwatch()
    with pytest.raises(ScarError, match="longer than"):
        agent.run("bomb", seconds=1.5)
    assert watch.seconds() < 1.5 + 5 + 1
    assert agent.remaining() == []


def test_an_agent_is_stopped_at_the_time_limit(agent: Agent) -> None:
    with pytest.raises(ScarError, match="longer than") as caught:
        agent.run("sleep 60", seconds=0.5)
    assert caught.value.code == "timeout"
    assert agent.remaining() == []


def test_processes_are_killed_later_if_worker_and_supervisor_were_killed(agent: Agent) -> None:
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
    assert agent.remaining() != []
    kill_leftovers(agent.id, OWNER)
    eventually(lambda: not agent.remaining(), "no process remains")


def test_the_error_names_an_agent_program_that_is_missing(agent: Agent) -> None:
    agent.line = "no-such-agent-anywhere --yes"
    with pytest.raises(ScarError, match="no-such-agent-anywhere") as caught:
        agent.run("say hello")
    assert caught.value.code == "project_invalid"


@pytest.mark.parametrize("what", ["workspace", "program"])
def test_the_error_names_a_folder_that_the_agents_user_cannot_enter(
    agent: Agent, what: str
) -> None:
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


def test_an_agent_that_could_open_the_engines_socket_is_refused(agent: Agent) -> None:
    socket = agent.public / "docker.sock"
    socket.touch()
    socket.chmod(0o666)
    with pytest.raises(ScarError, match=r"docker\.sock") as caught:
        agent.prepare("say hello").require_possible([str(socket)])
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize(
    ("place", "uid", "mode", "refused"),
    [
        ("config", 0, 0o755, False),
        ("config", OWNER, 0o755, True),
        ("config", 0, 0o777, True),
        ("config", 0, 0o1777, False),
        ("config/projects.json", OWNER, 0o644, True),
        ("config/projects.json", 0, 0o666, True),
    ],
)
def test_an_agent_that_could_replace_the_projects_file_is_refused(
    agent: Agent, place: str, uid: int, mode: int, refused: bool
) -> None:
    file = agent.public / "config" / "projects.json"
    file.parent.mkdir()
    file.write_text("{}")
    os.chown(agent.public / place, uid, uid)
    (agent.public / place).chmod(mode)
    run = agent.prepare("say hello")
    if not refused:
        run.require_possible([], [str(file)])
        return
    with pytest.raises(ScarError, match=str(agent.public / place)) as caught:
        run.require_possible([], [str(file)])
    assert caught.value.code == "forbidden"
    assert "make anybody an admin" in caught.value.message


def test_an_agent_that_could_make_a_missing_projects_file_is_refused(agent: Agent) -> None:
    (agent.public / "config").mkdir()
    (agent.public / "config").chmod(0o1777)
    with pytest.raises(ScarError, match="config") as caught:
        agent.prepare("say hello").require_possible([], [str(agent.public / "config/none.json")])
    assert caught.value.code == "forbidden"


def test_in_a_workspace_of_root_the_agent_does_not_run_as_root(agent: Agent) -> None:
    own(agent.workspace, 0)
    identity = identity_for(agent.workspace, agent.public / "homes")
    assert (identity.uid, identity.needs_handover) == (NOBODY, True)
    assert identity.gid != 0


def _memory() -> int:
    """Return the peak memory of this process in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])
