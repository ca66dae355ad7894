"""What every test may rely on."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def pytest_sessionstart() -> None:
    """The suite works on a real Engine; without one it says so, once, and ends."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0
    ):
        pytest.exit("No Docker Engine can be reached: run `make test`, which finds one.", 3)
