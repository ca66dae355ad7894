"""A small coding agent: it does, line by line, what its instruction says. Standard library only.

The instruction is its last argument, or with `--stdin` what it reads. Words are a shell's.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_IGNORING = "import os, signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; "


def write(path: str, *words: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(" ".join(words) + "\n")


def facts(path: str, *sockets: str) -> None:
    """Who and where the agent is, as JSON."""
    status = Path("/proc/self/status").read_text().splitlines()
    report = {
        "env": dict(os.environ),
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": os.getgroups(),
        "status": dict(line.split(":\t", 1) for line in status if ":\t" in line),
        "cwd": os.getcwd(),
        "descriptors": [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 3],
        "reached": [s for s in sockets if os.access(s, os.R_OK) or os.access(s, os.W_OK)],
        "arguments": sys.argv[1:],
        "stdin": os.readlink("/proc/self/fd/0"),
    }
    Path(path).write_text(json.dumps(report))


def flood(megabytes: str) -> None:
    line = "x" * 99 + "\n"
    for _ in range(int(megabytes) * 10):
        sys.stdout.write(line * 1000)
    sys.stdout.flush()


def deep(levels: str) -> None:
    """Folders in folders."""
    top = os.getcwd()
    for _ in range(int(levels)):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(top)


def ignore() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def leave(pids: str) -> None:
    """A child, a grandchild whose parent has ended, and one in a session of its own."""
    for before in ("", "os.fork() and os._exit(0); ", "os.setsid(); os.fork() and os._exit(0); "):
        subprocess.Popen([sys.executable, "-c", f"{_IGNORING}{before}time.sleep(600)"])
    time.sleep(0.5)
    mark = f"AGENT_RUN={os.environ['AGENT_RUN']}".encode()
    running = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                running.append(folder.name)
    Path(pids).write_text(" ".join(running))


def bomb() -> None:
    """Forks as fast as it can."""
    ignore()
    while True:
        with suppress(OSError):
            os.fork()


def wipe() -> None:
    for item in Path().iterdir():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def main() -> int:
    text = sys.stdin.read() if "--stdin" in sys.argv else sys.argv[-1]
    for line in text.splitlines():
        words = shlex.split(line)
        match words:
            case ["write", path, *rest]:
                write(path, *rest)
            case ["append", path, *rest]:
                with Path(path).open("a") as file:
                    file.write(" ".join(rest) + "\n")
            case ["mode", mode, path]:
                os.chmod(path, int(mode, 8))
            case ["remove", path]:
                shutil.rmtree(path) if Path(path).is_dir() else os.unlink(path)
            case ["folder", path]:
                os.makedirs(path)
            case ["link", target, path]:
                os.symlink(target, path)
            case ["hollow", path, gigabytes]:
                with Path(path).open("w") as file:
                    os.truncate(file.fileno(), int(gigabytes) << 30)
            case ["pipe", path]:
                os.mkfifo(path)
            case ["say", *rest]:
                print(" ".join(rest), flush=True)
            case ["sleep", seconds]:
                time.sleep(float(seconds))
            case ["until", path]:
                while not Path(path).exists():
                    time.sleep(0.05)
            case ["exit", code]:
                return int(code)
            case ["facts", path, *sockets]:
                facts(path, *sockets)
            case ["flood", megabytes]:
                flood(megabytes)
            case ["long", count]:
                print("y" * int(count), flush=True)
            case ["deep", levels]:
                deep(levels)
            case ["leave", path]:
                leave(path)
            case ["ignore"]:
                ignore()
            case ["bomb"]:
                bomb()
            case ["wipe"]:
                wipe()
    return 0


if __name__ == "__main__":
    sys.exit(main())
