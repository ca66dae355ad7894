"""Deploys and rollbacks with a fault at a random instant: production must be completely old or
completely new.

After each round production's files, its images and containers, the site, the job's end, the hold
on the project, the journal and what is left over are compared with what the job says of itself.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scar.client import ApiUnreachable
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from tests.support.compose_project import run_docker
from tests.support.deploy_scene import COMPOSE, DOCKERFILE, IMPATIENT, DeployScene, tree_of
from tests.support.prober import Prober
from tests.support.waiting import eventually
from workers.state.journal import Journal

from .engine import PrivateEngine
from .faults import Faults
from .table import Round

_ENDS_WITHIN = 60.0
_PUT_BACK_WITHIN = 5.0
_SLOW = "RUN sleep 0.4"
_STATE_MB = 48
_DOWNTIME_AGREES = 0.2
_RESTARTED = COMPOSE.replace("    stop_signal", "    restart: unless-stopped\n    stop_signal")


@dataclass(frozen=True)
class Standing:
    """The state of production that must be either completely old or completely new."""

    tree: dict[str, tuple[int, str]]
    images: dict[str, str]
    site: str


class Chaos:
    """One shop, whose state folder is a small filesystem of its own."""

    def __init__(self, folder: Path, seed: int, engine: PrivateEngine | None = None) -> None:
        self.seed = seed
        self.state = folder / "shop" / "scar" / "state"
        self.scene = DeployScene(folder / "shop", keep_releases=3, health_timeout=IMPATIENT)
        self._chance = random.Random(seed)
        self._faults = Faults(self.scene, self.state, engine, random.Random(seed + 2))
        self._released: dict[str, tuple[dict[str, tuple[int, str]], str]] = {}

    def begin(self) -> None:
        """A first release, on a state folder that can be filled."""
        self.state.mkdir(parents=True)
        options = f"size={_STATE_MB}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", self.state], check=True)
        self.scene.installation.folder.mkdir(parents=True, exist_ok=True)
        self.scene.begin(_RESTARTED)
        first = self.scene.do("deploy")
        assert first.state is JobState.SUCCEEDED, first.error
        self._released[str((first.result or {})["release"])] = self._wanted(first)

    def end(self) -> None:
        """Ends everything and takes it off the Engine."""
        self.scene.remove()
        subprocess.run(["umount", "-l", self.state], check=True)

    @property
    def faults(self) -> Faults:
        """The faults that can be injected."""
        return self._faults

    @property
    def journal(self) -> Journal:
        """The journal of the project's last job."""
        return Journal(self.journal_path.parent)

    @property
    def journal_path(self) -> Path:
        """The path of the journal."""
        return self.state / "projects" / "shop" / "journal.jsonl"

    def round(self, number: int, fault: str) -> Round:
        """Run one job with one fault, and check production."""
        kind = self._prepare(number)
        one_round = Round(number, kind, fault, round(self._chance.uniform(0.0, 3.8), 1))
        before = self.standing()
        self._faults.removed = ""
        outside = Prober(self.scene.port)
        try:
            job = self.ask(kind)
            time.sleep(one_round.after)
            begun, killed_at = time.monotonic(), time.time()
            self._faults.by_name[fault](job)
            if fault == "redis emptied" and self._forgotten(job):
                one_round.state = "never begun"
            else:
                job = self.end_of(job)
                one_round.state = job.state.value
            one_round.seconds = time.monotonic() - begun
            down = outside.stop()
            if fault.startswith("engine"):
                self._look_after_engine(job, killed_at)
            one_round.violations += self.judge(job, before)
            if fault == "nothing":
                self._compare_downtime(one_round, job, down)
        except (AssertionError, ScarError) as wrong:
            one_round.violations.append(str(wrong))
        finally:
            outside.stop()
        if one_round.seconds > _ENDS_WITHIN:
            one_round.violations.append(f"the job took {one_round.seconds:.0f} s to end")
        return one_round

    def _compare_downtime(self, one_round: Round, job: Job, outside: float) -> None:
        measured = (job.result or {}).get("downtime_seconds")
        if measured is not None:
            one_round.downtime = measured, round(outside, 2)
            if abs(measured - outside) > _DOWNTIME_AGREES:
                one_round.violations.append(f"down {measured} s, but {outside:.2f} s from outside")

    def _look_after_engine(self, job: Job, killed_at: float) -> None:
        """An Engine that was killed starts none of its containers again, whatever their restart
        policy: where the job had not touched production, or had ended, that is for a person.
        """
        journal = self.journal
        ended = job.finished_at is not None and job.finished_at < killed_at * 1000
        if ended or journal.job != job.id or not journal.find("applying"):
            for name in self.scene.images():
                run_docker("start", name)
        eventually(self.scene.site, "the site answers", 10)

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
        self.scene.write(Dockerfile="\n".join([first, copy, _SLOW, command]))
        return "deploy"

    def _prepare_good(self, number: int) -> str:
        """A deploy that comes through: another page, now and then another configuration of the
        other service."""
        return self._prepare_with(number, self._chance.choice([100_000, 100_000 + number]))

    def prepare_reference(self, number: int) -> str:
        """A deploy that comes through and changes both services: the same calls each time."""
        return self._prepare_with(number, 100_000 + number)

    def _prepare_with(self, number: int, side: int) -> str:
        self.scene.write(
            page=f"page {number}",
            Dockerfile=DOCKERFILE,
            **{
                "compose.yaml": _RESTARTED.replace("100000", str(side)),
                f"more/{number % 5}": str(number),
            },
        )
        return "deploy"

    def standing(self) -> Standing:
        """Production as it is now."""
        return Standing(self.scene.tree(), self.scene.images(), self.scene.site())

    def _wanted(self, job: Job) -> tuple[dict[str, tuple[int, str]], str]:
        """The files and the page that a job brings where it succeeds."""
        if job.request.kind == "rollback":
            return self._released[str((job.result or {})["restored"])]
        return tree_of(self.scene.workspace), (self.scene.workspace / "page").read_text()

    def ask(self, kind: str) -> Job:
        """The job, once the API takes it."""
        job = eventually(lambda: self._asked(kind), "the job is taken", _ENDS_WITHIN)
        assert job
        return job

    def _asked(self, kind: str) -> Job | None:
        try:
            return self.scene.ask(kind)
        except (ApiUnreachable, ScarError):
            return None

    def _forgotten(self, job: Job) -> bool:
        """Whether no worker had begun the job when Redis lost everything: then nobody knows of it
        any more, and nothing may have changed."""
        eventually(self.scene.installation.is_ready, "every part is back", _ENDS_WITHIN)
        time.sleep(_PUT_BACK_WITHIN)
        try:
            self.scene.api.job(job.id)
        except ScarError as error:
            return error.code == "job_not_found" and not (self.state / "done" / job.id).exists()
        return False

    def end_of(self, job: Job) -> Job:
        """The job's end, whatever is away meanwhile."""

        def look() -> Job | None:
            with contextlib.suppress(ApiUnreachable, ScarError):
                current = self.scene.api.job(job.id)
                return current if current.state.ended else None
            return None

        ended = eventually(look, f"{job.id} has ended", 2 * _ENDS_WITHIN)
        assert ended
        return ended

    def judge(self, job: Job, before: Standing) -> list[str]:
        """Return the differences between production and what the ended job says, once every part is
        running again.
        """
        scene = self.scene
        eventually(scene.installation.is_ready, "every part is back", _ENDS_WITHIN)
        eventually(self._quiet, "no job is open", 2 * _ENDS_WITHIN)
        folder = self.state / "projects" / "shop"
        # One that was called off while it planned clears up behind itself.
        eventually(lambda: not [*folder.glob("preview-*")], "no preview is left over", 10)
        now = self.standing()
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
            wanted = {
                name: id for name, id in before.images.items() if name != self._faults.removed
            }
            if not now.images.items() >= wanted.items() or now.site != before.site:
                wrong.append(f"{job.state}, but runs {now}, not {before}")
        wrong += [f"{name} stands for another image than runs" for name in scene.other_images()]
        wrong += [f"left over: {name}" for name in scene.leftovers()]
        if self.journal.open:
            wrong.append(f"the journal is open: {self.journal.records[-1]}")
        wrong += [f"left over: {pin}" for pin in _pins(scene.name) if ":before-" in pin]
        return [f"{text} ({job.error})" for text in wrong]

    def _quiet(self) -> bool:
        with contextlib.suppress(ApiUnreachable, ScarError):
            jobs = self.scene.api.request("GET", "/jobs", params={"limit": 10})["items"]
            return all(JobState(job["state"]).ended for job in jobs)
        return False


def _differing(one: dict[str, tuple[int, str]], other: dict[str, tuple[int, str]]) -> list[str]:
    return sorted({path for path, _ in set(one.items()) ^ set(other.items())})


def _pins(project: str) -> list[str]:
    names = ["--format", "{{.Repository}}:{{.Tag}}", "--filter"]
    return run_docker("images", *names, f"reference=scar-keep/{project}/*:*").split()


def run(
    chaos: Chaos, rounds: int, told: Callable[[Round], None], of: Sequence[str] = ()
) -> list[Round]:
    """Go through all faults, or those of `of`, in turn, in an order that the seed gives."""
    chance = random.Random(chaos.seed + 1)
    done: list[Round] = []
    faults: list[str] = []
    for number in range(1, rounds + 1):
        if not faults:
            faults = list(of or chaos.faults.by_name)
            chance.shuffle(faults)
        one_round = chaos.round(number, faults.pop())
        done.append(one_round)
        told(one_round)
    return done
