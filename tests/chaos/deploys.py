"""Deploys and rollbacks while something breaks at a random instant: old or new, never between.

After each round production's files, its images and containers, the site, the job's end, the hold
on the project, the journal and what is left over are compared with what the job says of itself.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scar.client import ApiUnreachable
from scar.errors import ScarError
from scar.jobs.bell import Bell
from scar.jobs.connection import connect
from scar.jobs.record import Job, JobState
from scar.jobs.signing import Signatures
from scar.settings import Settings
from tests.cli.home import eventually
from tests.deploy.shop import COMPOSE, DOCKERFILE, Shop, tree_of
from tests.engine.projects import run_docker
from workers.journal import Journal

_ENDS_WITHIN = 60.0
_LEASE_OVER = 13.0
_SLOW = "RUN sleep 0.4"
_STATE_MB = 48
_CALLS = (
    "rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,"
    "fsync,syncfs,ftruncate,fallocate,pwrite64,fchmod,fchown,flock,sendto,vfork,kill"
)
"""What changes the disk, asks the Engine or Redis for something, or starts a process."""


@dataclass
class Round:
    """What happened in one round, and what was wrong after it."""

    number: int
    kind: str
    fault: str
    after: float
    state: str = ""
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        wrong = "".join(f"\n    {violation}" for violation in self.violations)
        return (
            f"{self.number:4} {self.kind:<8} {self.fault:<22} after {self.after:4.1f} s: "
            f"{self.state}, {self.seconds:.1f} s later{wrong}"
        )


@dataclass(frozen=True)
class Standing:
    """What must be either all old or all new."""

    tree: dict[str, tuple[int, str]]
    images: dict[str, str]
    site: str


class Chaos:
    """One shop, whose state folder is a small filesystem of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        self._state = folder / "shop" / "scar" / "state"
        self.shop = Shop(folder / "shop", health_timeout=15, keep_releases=3)
        self._removed = ""
        self._released: dict[str, tuple[dict[str, tuple[int, str]], str]] = {}
        self._faults: dict[str, Callable[[Job], None]] = {
            "worker kill -9": self._kill_worker,
            "pool process kill -9": self._kill_child,
            "worker stopped": self._stop_worker,
            "pool process stopped": self._stop_child,
            "redis kill -9": self._kill_redis,
            "redis emptied": self._empty_redis,
            "api kill -9": lambda _: self.shop.home.kill_all("scar.cli api"),
            "build or up killed": self._kill_compose,
            "bell rung twice": self._ring_again,
            "second deploy": self._ask_again,
            "state disk full": self._fill_disk,
            "cancelled": self._cancel,
            "container removed": self._remove_container,
            "nothing": lambda _: None,
        }

    def begin(self) -> None:
        """A first release, on a state folder that can be filled."""
        self._state.mkdir(parents=True)
        options = f"size={_STATE_MB}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", self._state], check=True)
        self.shop.home.folder.mkdir(parents=True, exist_ok=True)
        self.shop.begin()
        first = self.shop.do("deploy")
        assert first.state is JobState.SUCCEEDED, first.error
        self._released[str((first.result or {})["release"])] = self._wanted(first)

    def end(self) -> None:
        """Ends everything and takes it off the Engine."""
        self.shop.remove()
        subprocess.run(["umount", "-l", self._state], check=True)

    def faults(self) -> list[str]:
        """What can be done to it."""
        return list(self._faults)

    def round(self, number: int, fault: str) -> Round:
        """One job, one fault, one look."""
        kind = self._prepare(number)
        found = Round(number, kind, fault, round(self._chance.uniform(0.0, 3.8), 1))
        before = self._standing()
        self._removed = ""
        job = self._ask(kind)
        time.sleep(found.after)
        begun = time.monotonic()
        self._faults[fault](job)
        try:
            job = self._end_of(job)
            found.seconds = time.monotonic() - begun
            found.state = job.state.value
            found.violations += self._judge(job, before)
        except AssertionError as wrong:
            found.violations.append(str(wrong))
        if found.seconds > _ENDS_WITHIN:
            found.violations.append(f"the job took {found.seconds:.0f} s to end")
        return found

    def point(self, number: int) -> Round:
        """A reference deploy, killed at the `number`-th of its system calls that leave a trace.

        strace counts for each process, and the job is in the hands of one; a killed one is
        replaced by a process that is not traced, so the recovery runs through.
        """
        kind = self._prepare_good(number)
        found = Round(number, kind, f"killed at call {number}", 0.0)
        before = self._standing()
        pids = [word for pid in self.shop.pool() for word in ("-p", str(pid))]
        inject = ["-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:signal=SIGKILL:when={number}"]
        tracer = subprocess.Popen(
            ["strace", "-q", "-o", "/dev/null", *inject, *pids],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            time.sleep(0.3)
            begun = time.monotonic()
            job = self._end_of(self._ask(kind))
            found.seconds, found.state = time.monotonic() - begun, job.state.value
            found.violations += self._judge(job, before)
        except AssertionError as wrong:
            found.violations.append(str(wrong))
        finally:
            tracer.terminate()
            tracer.communicate()
        return found

    def _prepare(self, number: int) -> str:
        """What is asked for: mostly a deploy of another page, some of which fail by themselves."""
        if number > 2 and self._chance.random() < 0.2:
            return "rollback"
        self._prepare_good(number)
        chance = self._chance.random()
        first, copy, command = DOCKERFILE.splitlines()
        if chance < 0.1:
            command = command.replace('"8000"', '"9000"')  # never healthy
        elif chance < 0.2:
            command += "\nRUN false"
        self.shop.write(Dockerfile="\n".join([first, copy, _SLOW, command]))
        return "deploy"

    def _prepare_good(self, number: int) -> str:
        """Another page, now and then another configuration of the other service."""
        side = self._chance.choice(["100000", str(100_000 + number)])
        self.shop.write(
            page=f"page {number}",
            Dockerfile=DOCKERFILE,
            **{"compose.yaml": COMPOSE.replace("100000", side), f"more/{number % 5}": str(number)},
        )
        return "deploy"

    def _standing(self) -> Standing:
        return Standing(self.shop.tree(), self.shop.images(), self.shop.site())

    def _wanted(self, job: Job) -> tuple[dict[str, tuple[int, str]], str]:
        """The files and the page that a job brings where it succeeds."""
        if job.request.kind == "rollback":
            return self._released[str((job.result or {})["restored"])]
        return tree_of(self.shop.workspace), (self.shop.workspace / "page").read_text()

    def _ask(self, kind: str) -> Job:
        found = eventually(lambda: self._asked(kind), "the job is taken", _ENDS_WITHIN)
        assert found
        return found

    def _asked(self, kind: str) -> Job | None:
        try:
            return self.shop.ask(kind)
        except (ApiUnreachable, ScarError):
            return None

    def _end_of(self, job: Job) -> Job:
        """The job's end, whatever is away meanwhile."""

        def look() -> Job | None:
            with contextlib.suppress(ApiUnreachable, ScarError):
                found = self.shop.api.job(job.id)
                return found if found.state.ended else None
            return None

        found = eventually(look, f"{job.id} has ended", 2 * _ENDS_WITHIN)
        assert found
        return found

    def _judge(self, job: Job, before: Standing) -> list[str]:
        shop = self.shop
        eventually(shop.home.is_ready, "every part is back", _ENDS_WITHIN)
        eventually(self._quiet, "no job is open", 2 * _ENDS_WITHIN)
        folder = self._state / "projects" / "shop"
        # One that was called off while it planned clears up behind itself.
        eventually(lambda: not [*folder.glob("preview-*")], "no preview is left over", 10)
        now = self._standing()
        wrong = []
        if job.state is JobState.SUCCEEDED:
            tree, page = self._wanted(job)
            if now.tree != tree:
                wrong.append(f"succeeded, but these files differ: {_differing(tree, now.tree)}")
            if now.site != page:
                wrong.append(f"succeeded, but the site says {now.site!r}, not {page!r}")
            self._released[str((job.result or {}).get("release"))] = tree, page
        else:
            if now.tree != before.tree:
                wrong.append(f"{job.state}, but changed: {_differing(before.tree, now.tree)}")
            # What was missing before may be there now: it was only brought up. What was removed
            # here, perhaps once the job had ended, may be missing.
            wanted = {name: id for name, id in before.images.items() if name != self._removed}
            if not now.images.items() >= wanted.items() or now.site != before.site:
                wrong.append(f"{job.state}, but runs {now}, not {before}")
        wrong += [f"left over: {name}" for name in shop.leftovers()]
        if Journal(folder).open:
            wrong.append(f"the journal is open: {Journal(folder).records[-1]}")
        wrong += [f"left over: {pin}" for pin in _pins(shop.name) if ":before-" in pin]
        return [f"{text} ({job.error})" for text in wrong]

    def _quiet(self) -> bool:
        with contextlib.suppress(ApiUnreachable, ScarError):
            jobs = self.shop.api.request("GET", "/jobs", params={"limit": 10})["items"]
            return all(JobState(job["state"]).ended for job in jobs)
        return False

    def _kill_worker(self, _: Job) -> None:
        self.shop.kill_worker()

    def _kill_child(self, _: Job) -> None:
        for pid in self.shop.pool():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _stop_worker(self, _: Job) -> None:
        found = self.shop.home.processes()
        self._stop([pid for pid, command in found.items() if "celery" in command])

    def _stop_child(self, _: Job) -> None:
        self._stop(self.shop.pool())

    def _stop(self, pids: list[int]) -> None:
        """For longer than the lease; woken from another thread, as whoever stopped it would."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(_LEASE_OVER)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _kill_redis(self, _: Job) -> None:
        self.shop.home.kill("redis.sock")

    def _empty_redis(self, _: Job) -> None:
        connect(self.shop.home.redis_url).flushall()

    def _kill_compose(self, _: Job) -> None:
        for pid, command in self.shop.home.processes().items():
            if "compose" in command and "celery" not in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _ring_again(self, job: Job) -> None:
        settings = Settings.load(self.shop.home.env, None)
        bell = Bell(settings.effective_redis_url, Signatures(settings.signing_key()))
        for _ in range(3):
            bell.ring("default", job.id)

    def _ask_again(self, _: Job) -> None:
        """Refused while the first one works; where that has ended, taken back at once."""
        with contextlib.suppress(ApiUnreachable, ScarError):
            self._cancel(self.shop.ask("deploy", confirm=False))

    def _fill_disk(self, _: Job) -> None:
        ballast = self._state / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            room = os.statvfs(self._state)
            file.write(b"x" * (room.f_bavail * room.f_frsize))
        threading.Timer(6.0, ballast.unlink).start()

    def _cancel(self, job: Job) -> None:
        with contextlib.suppress(ScarError):
            self.shop.api.request("POST", f"/jobs/{job.id}/cancel")

    def _remove_container(self, _: Job) -> None:
        name = f"{self.shop.name}-side-1"
        self._removed = f"/{name}"
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)


def _differing(one: dict[str, tuple[int, str]], other: dict[str, tuple[int, str]]) -> list[str]:
    return sorted({path for path, _ in set(one.items()) ^ set(other.items())})


def _pins(project: str) -> list[str]:
    names = ["--format", "{{.Repository}}:{{.Tag}}", "--filter"]
    return run_docker("images", *names, f"reference=scar-keep/{project}/*:*").split()


def run(chaos: Chaos, rounds: int, told: Callable[[Round], None]) -> list[Round]:
    """Goes through all faults in turn, in an order that the seed gives."""
    chance = random.Random(chaos.seed + 1)
    done: list[Round] = []
    faults: list[str] = []
    for number in range(1, rounds + 1):
        if not faults:
            faults = chaos.faults()
            chance.shuffle(faults)
        found = chaos.round(number, faults.pop())
        done.append(found)
        told(found)
    return done


def run_points(chaos: Chaos, every: int, told: Callable[[Round], None]) -> list[Round]:
    """Kills at every `every`-th system call, until a deploy has come through three times."""
    done: list[Round] = []
    number, through = 1, 0
    while through < 3:
        found = chaos.point(number)
        done.append(found)
        told(found)
        through = through + 1 if found.state == JobState.SUCCEEDED and found.seconds < 8 else 0
        number += every
    return done


def table(done: list[Round]) -> list[str]:
    """One line a fault: how often, how the jobs ended, how long that took, what was wrong."""
    lines = []
    names = {found.fault.rstrip(" 0123456789") for found in done}
    for fault in sorted(names):
        mine = [found for found in done if found.fault.startswith(fault)]
        states = Counter(found.state for found in mine)
        ends = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        slowest = max(found.seconds for found in mine)
        wrong = sum(len(found.violations) for found in mine)
        lines.append(f"| {fault} | {len(mine)} | {ends} | {slowest:.0f} s | {wrong} |")
    return lines
