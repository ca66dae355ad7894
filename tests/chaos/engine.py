"""An Engine of chaos' own, that can be killed: nobody else has a container on it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SCRIPT = Path(__file__).parents[1] / "machine" / "engine"
_PRINTED = ("DOCKER_HOST", "DOCKER_CONFIG", "PATH")


class PrivateEngine:
    """The Engine that `tests/machine/engine NAME` sets up."""

    def __init__(self, name: str) -> None:
        self.name = name

    @staticmethod
    def possible() -> bool:
        """Whether one can be set up here: its packages are Debian's, and dockerd needs root."""
        return os.geteuid() == 0 and Path("/etc/debian_version").exists()

    def up(self) -> dict[str, str]:
        """Starts it, where it does not run; what a process needs to have in its environment."""
        shell = 'engine=$("$0" "$1") && eval "$engine" && printf "%s\\0" ' + " ".join(
            f'"${name}"' for name in _PRINTED
        )
        said = self._run("bash", "-euc", shell, str(_SCRIPT), self.name)
        return dict(zip(_PRINTED, said.split("\0"), strict=False))

    def kill(self) -> None:
        """kill -9 of its dockerd."""
        self._run(str(_SCRIPT), self.name, "kill")

    def end(self) -> None:
        """Ends it, and with it its containers, as a machine that is shut down does."""
        self._run(str(_SCRIPT), self.name, "end")

    def remove(self) -> None:
        """Takes it away with all that it holds."""
        self._run(str(_SCRIPT), self.name, "remove")

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
