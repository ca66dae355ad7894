"""`unshare --net python -m tests.diversion.loopback`: divert connections of a host without rules.

In a network of its own nothing else tracks or translates connections. Prints `unable: REASON` where
nothing can be diverted; fails where a connection that is open does not go on as before.
"""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading

from workers.diversion.door import Diversion, Door

_HOST = "::1"


class _Server(socketserver.ThreadingTCPServer):
    """Answers each byte with its own name."""

    address_family = socket.AF_INET6
    daemon_threads = True

    def __init__(self, name: bytes) -> None:
        self.name = name
        super().__init__(("::", 0), _Answering)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])


class _Answering(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        while self.request.recv(1):
            self.request.sendall(self.server.name)


def _asked(connection: socket.socket) -> bytes:
    connection.sendall(b"?")
    return connection.recv(1)


def main() -> int:
    """Ask over connections opened before, during and after a diversion."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    old, new = _Server(b"o"), _Server(b"n")
    for server in (old, new):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    door = Door(old.port, "", "127.0.0.1", new.port, "none", new.port, new.port)
    diversion = Diversion("scar_loopback", (door,), linger=60.0)  # until it is killed
    command = ["-m", "workers.diversion", diversion.to_argument()]
    before = socket.create_connection((_HOST, old.port), 10)
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE) as program:
        try:
            said = _look(program, before, old.port)
        finally:
            program.kill()
    print(said)
    return 0


def _look(program: subprocess.Popen[bytes], before: socket.socket, port: int) -> str:
    assert program.stdout is not None
    said = program.stdout.readline().decode().strip()
    if said != "diverting":
        return said
    during = socket.create_connection((_HOST, port), 10)
    assert (_asked(before), _asked(during)) == (b"o", b"n")
    program.terminate()
    while True:
        with socket.create_connection((_HOST, port), 10) as after:
            if _asked(after) == b"o":
                break
    assert program.poll() is None, "it ends before connections can"
    assert (_asked(before), _asked(during)) == (b"o", b"n")
    return "as before"


if __name__ == "__main__":
    sys.exit(main())
