"""Tries the program that diverts or holds connections, without doing either."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scar.cli.docker import DockerCommand
from scar.errors import ScarError

_ROOT = Path(__file__).parents[2]
_SECONDS = 20
_LIMITS = (
    *("--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN"),
    *("--read-only", "--security-opt", "no-new-privileges", "--user", "0"),
)


def try_as_process(attempt: str) -> str:
    """Try it as a process of this host; return why it cannot, empty where it can.

    `attempt` is `try`, which diverts, or `try-hold`.
    """
    try:
        completed = subprocess.run(
            [sys.executable, "-m", "workers.diversion", attempt],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"nftables did not answer within {_SECONDS} seconds"
    return _reason(completed.stdout)


def try_as_container(docker: DockerCommand, image: str, attempt: str) -> str:
    """Try it as a container of `image`, with what a diversion has; return why it cannot."""
    script = f"python -m workers.diversion {attempt} || true"
    try:
        return _reason(docker.run("run", "--rm", *_LIMITS, image, "sh", "-c", script))
    except ScarError as error:
        return error.message


def _reason(output: str) -> str:
    said = output.strip()
    return "" if said == "able" else said.removeprefix("unable: ") or "the program does not start"
