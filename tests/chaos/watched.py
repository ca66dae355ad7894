"""`python -m tests.chaos.watched`: what the watcher says of deploys, of good ones and of bad ones.

First `--healthy` deploys under load, with restarts and rollbacks between them: no alert may come,
no bake may find anything, nothing may be undone. Then with `--planted` one deploy that makes four
services worse, each in another way: its bake must find all four. That takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scar.jobs.bake import Bake, BakeBook
from scar.jobs.record import JobState
from scar.jobs.signing import Signatures
from scar.redis_client import connect
from scar.settings import Settings
from tests.support.deploy_scene import DeployScene
from tests.support.prober import Prober
from tests.support.waiting import PATIENCE, eventually

_HISTORY_SECONDS = 300.0
_BAKE_SECONDS = 660.0
_OTHERS = ("restart", "", "rollback", "")

_SERVICES = """
services:
  crash:
    image: IMAGE
    stop_signal: KILL
    restart: unless-stopped
    command: sh -c 'sleep CRASH; exit 3'
  flap:
    image: IMAGE
    stop_signal: KILL
    command: sh -c 'sleep FLAP; while :; do touch /sick; sleep 8; rm /sick; sleep 12; done'
    healthcheck: {test: "test ! -e /sick", interval: 1s, timeout: 60s, retries: 1}
  errors:
    image: IMAGE
    stop_signal: KILL
    command: sh -c 'while :; do echo "ERROR cannot reach the database"; sleep ERRORS; done'
  memory:
    image: IMAGE
    stop_signal: KILL
    shm_size: 1g
    command: >-
      sh -c 'i=0; while sleep 3; do i=$$((i+1));
      [ MEMORY = 0 ] || head -c 2000000 /dev/zero >/dev/shm/$$i; done'
"""
_GOOD = {"CRASH": "1000000", "FLAP": "1000000", "ERRORS": "30", "MEMORY": "0"}
_BAD = {"CRASH": "30", "FLAP": "30", "ERRORS": "3", "MEMORY": "1"}
_PLANTED = {("crash", "exits"), ("flap", "health"), ("errors", "errors"), ("memory", "memory")}


def main() -> int:
    """Exit 0 where every planted regression was found, and nothing else."""
    parser = argparse.ArgumentParser(prog="watched", description=__doc__)
    parser.add_argument("--healthy", type=int, default=20, help="deploys that make nothing worse")
    parser.add_argument("--planted", action="store_true", help="then one that does")
    asked = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        if asked.healthy:
            wrong += healthy(Path(folder) / "healthy", asked.healthy)
        if asked.planted:
            wrong += planted(Path(folder) / "planted")
    print("\n".join(wrong) if wrong else "as promised")
    return 1 if wrong else 0


def healthy(folder: Path, deploys: int) -> list[str]:
    """Return what was said or done although nothing was wrong."""
    scene = DeployScene(folder, bake="undo")
    wrong: list[str] = []
    try:
        scene.begin()
        eventually(lambda: scene.do("deploy").state is JobState.SUCCEEDED, "a first release")
        load = Prober(scene.port)
        try:
            for number in range(1, deploys + 1):
                wrong += _round(scene, number)
                print(f"{number} deploys, {len(wrong)} wrong", flush=True)
        finally:
            load.stop()
        wrong += [f"alert: {alert}" for alert in scene.api.request("GET", "/alerts")["items"]]
        jobs = scene.api.request("GET", "/jobs?kind=rollback&limit=100")["items"]
        undone = [job for job in jobs if job["requested_by"]["frontend"] != "api"]
        wrong += [f"undone: {job['id']}" for job in undone]
    finally:
        scene.remove()
    return wrong


def _round(scene: DeployScene, number: int) -> list[str]:
    """Deploy, and every other time restart or roll back; return what its bake has found."""
    scene.write(page=f"page {number}")
    deploy = scene.do("deploy")
    jobs = [deploy]
    with _book(scene) as book:
        bake = eventually(lambda: book.get(deploy.id), "a bake has begun")
        if other := _OTHERS[number % len(_OTHERS)]:
            jobs.append(scene.do(other))
        bake = book.get(deploy.id) or bake
    wrong = [
        f"{job.request.kind}: {job.state}, {job.error}" for job in jobs if job.state != "succeeded"
    ]
    return wrong + [f"found in deploy {number}: {one}" for one in (bake.findings if bake else ())]


def planted(folder: Path) -> list[str]:
    """Return the regressions that the bake has not found, and what it has found besides."""
    scene = DeployScene(folder, primary_container="")
    scene.entry["primary_container"] = f"{scene.name}-crash-1"
    try:
        scene.begin(_compose(_GOOD))
        assert scene.do("deploy").state is JobState.SUCCEEDED
        print(f"a first release; what is usual is watched for {_HISTORY_SECONDS:.0f} s", flush=True)
        time.sleep(_HISTORY_SECONDS)
        scene.write(**{"compose.yaml": _compose(_BAD)})
        deploy = scene.do("deploy")
        assert deploy.state is JobState.SUCCEEDED, deploy.error
        begun = time.monotonic()
        with _book(scene) as book:
            bake = eventually(
                lambda: (
                    (bake := book.get(deploy.id)) and (bake.ended or not _missed(bake)) and bake
                ),
                "the bake has found everything, or has ended",
                _BAKE_SECONDS,
            )
        assert bake
        for finding in bake.findings:
            after = finding.at / 1000 - bake.began / 1000
            print(f"after {after:.0f} s: {finding.container} {finding.what}", flush=True)
        print(f"all within {time.monotonic() - begun:.0f} s", flush=True)
        others = [f for f in bake.findings if _key(f.container, f.rule) not in _PLANTED]
        return [f"not found: {missed}" for missed in _missed(bake)] + [
            f"false: {f}" for f in others
        ]
    finally:
        scene.remove()


def _missed(bake: Bake) -> set[tuple[str, str]]:
    return _PLANTED - {_key(one.container, one.rule) for one in bake.findings}


def _key(container: str, rule: str) -> tuple[str, str]:
    return container.rsplit("-", 2)[-2], rule


def _compose(values: dict[str, str]) -> str:
    text = _SERVICES
    for name, value in values.items():
        text = text.replace(name, value)
    return text


@contextlib.contextmanager
def _book(scene: DeployScene) -> Iterator[BakeBook]:
    settings = Settings(state_dir=scene.installation.folder / "state")
    with contextlib.closing(connect(scene.installation.redis_url, timeout=PATIENCE)) as redis:
        yield BakeBook(redis, Signatures.of(settings, "console"))


if __name__ == "__main__":
    sys.exit(main())
