"""A project that is deployed without downtime, and who asks it meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from scar.jobs.record import Job
from tests.support.compose_project import run_docker
from tests.support.deploy_scene import DOCKERFILE, IMPATIENT, NEVER_WELL, DeployScene
from tests.support.waiting import eventually
from workers.diversion.nftables import NfTables

from .machines import Machine

_PORT, _ECHO = 18080, 18081
"""Below the ports that the kernel gives to who connects: a prober's would be taken now and then."""

_SITE = """\
#!/bin/sh
nc -ll -p 8001 -e cat &
exec httpd -f -p "$1" -h /www
"""
_KINDS = ("deploy", "rollback", "failed deploy", "restart")


def _with_echo(dockerfile: str) -> str:
    port = "9000" if dockerfile == NEVER_WELL else "8000"
    lines = [line for line in dockerfile.splitlines() if not line.startswith("CMD")]
    return "\n".join([*lines, "COPY site.sh /site.sh", f'CMD ["sh", "/site.sh", "{port}"]\n'])


def diverted() -> list[str]:
    """Return the rules that divert connections on this machine."""
    tables = NfTables()
    try:
        lines = tables.run("list ruleset").splitlines()
    finally:
        tables.close()
    return [line.strip() for line in lines if "tcp flags" in line and " dport 1808" in line]


@dataclass
class Outside:
    """What somebody who asked has been answered: see `prober.Answers`."""

    made: int = 0
    requests: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)
    slow: list[tuple[float, float]] = field(default_factory=list)
    cut: list[tuple[float, int]] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The longest that an answer took, in seconds."""
        return max((took for _, took in self.slow), default=0.0)

    def within(self, begin: float, end: float) -> list[str]:
        """Return what failed in a time."""
        return [f"{at - begin:.2f} s: {why}" for at, why in self.failed if begin <= at <= end]

    def most_cuts(self, begin: float, end: float) -> int:
        """Return how often one kept connection was cut in a time."""
        own = [who for at, who in self.cut if begin <= at <= end]
        return max(map(own.count, own), default=0)


class TakeoverScene:
    """The project `shop` on this machine."""

    def __init__(self, folder: Path, machine: Machine, other: str) -> None:
        self.scene = DeployScene(
            folder, zero_downtime=True, primary_container="shop-web", keep_releases=3
        )
        self.scene.port = _PORT
        self._machine = machine
        self._other = other
        self._pages = 0

    def begin(self) -> None:
        """Deploy a first time."""
        self.scene.write(**{"site.sh": _SITE})
        self.scene.begin(self._machine.compose(_PORT, _ECHO))
        for _ in range(2):  # a rollback needs a release before
            first = self.do("deploy")
            assert first.state == "succeeded", first.error

    def do(self, kind: str) -> Job:
        """Make a job of `_KINDS`, and wait for its end."""
        job = self.ask(kind)
        return self.scene.end_of(job)

    def ask(self, kind: str) -> Job:
        """Make a job of `_KINDS`."""
        scene = self.scene
        failing = kind == "failed deploy"
        if kind.endswith("deploy"):
            self._pages += 1
            dockerfile = _with_echo(NEVER_WELL if failing else DOCKERFILE)
            scene.write(page=f"page {self._pages}", Dockerfile=dockerfile)
        scene.configure(health_timeout=IMPATIENT if failing else 60)
        return scene.ask("deploy" if failing else kind)

    def violations(self, kind: str, job: Job) -> list[str]:
        """Return what is not as it should be after a job that nothing has disturbed."""
        wanted = "rolled_back" if kind == "failed deploy" else "succeeded"
        wrong = [] if job.state == wanted else [f"{job.state}: {job.error}"]
        ways = (job.result or {}).get("ways")
        if wanted == "succeeded" and ways != [{"service": "web", "way": "stand_in"}]:
            wrong.append(f"replaced as {ways}")
        return wrong + self.left_over()

    def left_over(self) -> list[str]:
        """Return what stand-ins have left, once they had the time to go."""
        with suppress(AssertionError):
            eventually(lambda: not self._left_over(), "nothing is left over", 30)
        return self._left_over()

    def _left_over(self) -> list[str]:
        names = run_docker("ps", "-a", "--format", "{{.Names}}").split()
        record = [str(self.record)] if self.record.exists() else []
        return diverted() + record + [name for name in names if "standin" in name]

    @property
    def record(self) -> Path:
        """Where the stand-ins are recorded."""
        return self.scene.installation.folder / "state" / "projects" / "shop" / "stand_ins.json"

    @contextmanager
    def asked(self) -> Iterator[list[Outside]]:
        """Ask from this machine and from another meanwhile; the answers are there afterwards."""
        probers = [
            self._prober([], self._machine.inside),
            self._prober(["ip", "netns", "exec", self._other], self._machine.outside),
        ]
        answers: list[Outside] = []
        try:
            for prober in probers:
                assert prober.stdout is not None
                assert prober.stdout.readline() == "ready\n"
            yield answers
            time.sleep(1.0)  # the requests that are under way
        finally:
            for prober in probers:
                prober.terminate()
            for prober in probers:
                said, _ = prober.communicate()
                answers.append(Outside(**json.loads(said)))

    @staticmethod
    def _prober(before: list[str], host: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.chaos.takeover.prober", host, str(_PORT), str(_ECHO)]
        root = Path(__file__).parents[3]
        return subprocess.Popen(
            [*before, *words], stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ
        )
