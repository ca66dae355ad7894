"""A deploy with a stand-in, each part of it killed at each of its steps."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scar.client import ApiUnreachable
from scar.errors import ScarError
from scar.jobs.record import Job
from tests.chaos.engine import PrivateEngine
from tests.support.compose_project import run_docker
from tests.support.waiting import eventually
from workers.state.journal import Journal

from .scene import Outside, TakeoverScene, diverted

PARTS = ("worker", "worker twice", "pool", "compose", "program", "stand-in", "engine")
_ANSWER_GOES_ON = ("worker", "worker twice", "pool", "compose")
"""Parts without which every new connection is answered; without the others there may be nobody
left who could.
"""
_ENDS_WITHIN = 180.0


@dataclass
class KilledDeploy:
    """One deploy, and one kill."""

    part: str
    step: str
    begun: float
    ended: float = 0.0
    state: str = ""
    violations: list[str] = field(default_factory=list)

    def row(self, answers: Sequence[Outside]) -> str:
        """Return the row of the table, with what failed counted among the violations."""
        failed = [said for a in answers for said in a.within(self.begun, self.ended)]
        if failed and self.part in _ANSWER_GOES_ON:
            self.violations += failed[:5]
        cuts = max(a.most_cuts(self.begun, self.ended) for a in answers)
        return (
            f"| {self.part} | {self.step} | {self.state} | {len(failed)} | {cuts} "
            f"| {self.ended - self.begun:.0f} s | {len(self.violations)} |"
            + "".join(f"\n    {said}" for said in self.violations)
        )


class Steps:
    """Where a deploy is, as anybody on the machine can see."""

    def __init__(self, scene: TakeoverScene) -> None:
        self._scene = scene
        self._before = ""
        self.job = ""
        self.by_name: dict[str, Callable[[], bool]] = {
            "recorded": scene.record.exists,
            "stand-in made": lambda: "standin" in run_docker("ps", "--format", "{{.Names}}"),
            "diverting": lambda: bool(list(programs())),
            "containers": lambda: self.has("starting"),
            "replaced": lambda: self._web() not in ("", self._before),
            "recorded as released": lambda: self.has("committed"),
            "let go": lambda: self.has("committed") and not diverted(),
        }

    def begin(self) -> None:
        """Note the container that is replaced."""
        self._before, self.job = self._web(), ""

    def has(self, what: str) -> bool:
        """Whether the deploy `job` has journalled something."""
        journal = Journal(self._scene.record.parent)
        return journal.job == self.job and journal.find(what) is not None

    @staticmethod
    def _web() -> str:
        return run_docker("ps", "-q", "--no-trunc", "--filter", "name=^shop-web$")


def programs() -> Iterator[int]:
    """Yield the processes that divert connections on this machine."""
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0") if path.name.isdigit() else []
            diverts = b"workers.diversion" in words and words[-2].startswith(b"scar_")
            if diverts and os.readlink(path / "ns/net") == os.readlink("/proc/self/ns/net"):
                yield int(path.name)


class _Kills:
    def __init__(self, scene: TakeoverScene, steps: Steps, engine: PrivateEngine) -> None:
        self._scene = scene
        self._steps = steps
        self._engine = engine
        self.by_part: dict[str, Callable[[], None]] = {
            "worker": scene.scene.kill_worker,
            "worker twice": self._worker_twice,
            "pool": lambda: _kill(scene.scene.pool()),
            "compose": self._compose,
            "program": lambda: _kill(programs()),
            "stand-in": self._stand_in,
            "engine": self._restart_engine,
        }

    def _worker_twice(self) -> None:
        """The second time in the recovery of the first."""
        self._scene.scene.kill_worker()
        with contextlib.suppress(AssertionError):
            recovering = "putting back" if not self._steps.has("committed") else "ended"
            eventually(lambda: self._steps.has(recovering), "it recovers", 30)
        self._scene.scene.kill_worker()

    def _compose(self) -> None:
        processes = self._scene.scene.installation.processes()
        _kill(pid for pid, command in processes.items() if "docker-compose" in command)

    @staticmethod
    def _stand_in() -> None:
        names = run_docker("ps", "--format", "{{.Names}}").split()
        for name in names:
            if "standin" in name:
                run_docker("kill", name, check=False)

    def _restart_engine(self) -> None:
        self._engine.kill()
        self._engine.up()


def _kill(pids: Iterator[int] | Sequence[int]) -> None:
    for pid in list(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def play_kills(scene: TakeoverScene, engine: PrivateEngine, parts: str) -> int:
    """Kill each of `parts` at each step; return how much was wrong."""
    steps = Steps(scene)
    kills = _Kills(scene, steps, engine)
    print("| killed | at | ends | failed | cuts | takes | wrong |\n| --- " + "| --- " * 6 + "|")
    wrong = 0
    for part in parts.split(","):
        with scene.asked() as answers:
            done = [
                _played(scene, steps, kills.by_part[part], part, step) for step in steps.by_name
            ]
        for killed in done:
            print(killed.row(answers), flush=True)
            wrong += len(killed.violations)
    return wrong


def _played(
    scene: TakeoverScene, steps: Steps, kill: Callable[[], None], part: str, step: str
) -> KilledDeploy:
    steps.begin()
    before = scene.scene.site()
    killed = KilledDeploy(part, step, time.time())
    try:
        job = scene.ask("deploy")
        steps.job = job.id
        page = (scene.scene.workspace / "page").read_text()
        eventually(
            lambda: steps.by_name[step]() or _ended(scene, job),
            f"the deploy is {step}",
            _ENDS_WITHIN,
        )
        kill()
        ended = eventually(lambda: _ended(scene, job), "the job has ended", _ENDS_WITHIN)
        assert ended
        killed.state = ended.state.value
        killed.ended = time.time()
        if part == "engine":  # which starts nothing again, whatever the restart policy
            run_docker("start", "shop-web")
        wanted = page if killed.state == "succeeded" else before
        with contextlib.suppress(AssertionError):
            eventually(lambda: scene.scene.site() == wanted, "the site answers", 15)
        if (said := scene.scene.site()) != wanted:
            killed.violations.append(f"the site says {said!r}, not {wanted!r}: {ended.error}")
        killed.violations += scene.left_over()
    except AssertionError as wrong:
        killed.violations.append(str(wrong))
    killed.ended = time.time()
    return killed


def _ended(scene: TakeoverScene, job: Job) -> Job | None:
    with contextlib.suppress(ApiUnreachable, ScarError):
        current = scene.scene.api.job(job.id)
        return current if current.state.ended else None
    return None
