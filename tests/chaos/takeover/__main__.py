"""`python -m tests.chaos.takeover`: deploys without downtime, under 300 requests a second.

`--rounds` is how many deploys each machine plays, and a fifth as many rollbacks, restarts and
deploys that fail; `--kills` names a part that is killed at each step of a deploy. It needs root on
a Debian.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.chaos.engine import PrivateEngine

from .kills import PARTS
from .machines import MACHINES, Namespaces, play


def main() -> int:
    """Exit 0 where no new connection failed and everything was as it should be."""
    parser = argparse.ArgumentParser(prog="takeover", description=__doc__)
    parser.add_argument(
        "--machine", action="append", choices=MACHINES, help="one kind; all of them"
    )
    parser.add_argument("--rounds", type=int, default=1, help="deploys on each; 0 for none")
    parser.add_argument("--kills", action="append", choices=PARTS, help="which part to kill")
    asked = parser.parse_args()
    if not PrivateEngine.possible():
        print("This needs root on a Debian.")
        return 1
    print("| machine | what | jobs | failed | slowest | cuts | takes | wrong |", flush=True)
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    wrong = 0
    for number, machine in enumerate(asked.machine or MACHINES):
        name = f"takeover{os.getpid()}x{number}"
        words = [machine, name, "--deploys", str(asked.rounds)]
        if asked.kills:
            words += ["--kills", ",".join(asked.kills)]
        wrong += play(Namespaces(name), *words)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
