"""How failures of the connection to the Engine are reported."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.engine.connection import Engine
from workers.engine.containers import Containers


def test_the_error_names_a_missing_docker_socket(tmp_path: Path) -> None:
    with pytest.raises(ScarError) as failure:
        Engine(f"unix://{tmp_path}/none.sock").version()
    assert failure.value.code == "docker_unavailable"
    assert "none.sock" in failure.value.message


def test_the_error_names_the_group_that_may_use_the_docker_socket(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o660)
        os.chown(path, 0, 4711)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.owner() == path.owner() and folder not in (Path("/"), Path("/tmp")):
                folder.chmod(folder.stat().st_mode | 0o011)
        read, write = os.pipe()
        if os.fork() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                Engine(f"unix://{path}").version()
            except ScarError as denied:
                report = [denied.code, denied.message, denied.hint]
                os.write(write, json.dumps(report).encode())
            finally:
                os._exit(0)
        os.close(write)
        os.wait()
        with os.fdopen(read) as answer:
            code, message, hint = json.load(answer)
    assert code == "docker_permission_denied"
    assert message == f"Permission denied accessing {path}"
    assert 'group_add: "4711"' in hint


class Relay:
    """A proxy socket in front of the real Engine, which `cut` disconnects."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self._engine = engine.host.removeprefix("unix://")
        self._open: list[socket.socket] = []
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._engine)
            self._open += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=ends, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            target.close()


def test_the_client_recovers_after_the_engine_was_restarted(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "relay.sock"
    relay = Relay(path, engine)
    client = Engine(f"unix://{path}")
    version = client.version()
    relay.cut()
    with pytest.raises(ScarError) as failure:
        Containers(client).all()
    assert failure.value.code == "docker_unavailable"
    relay = Relay(path, engine)
    assert client.version() == version
    relay.cut()


def test_a_forked_process_makes_its_own_connection(engine: Engine) -> None:
    version = engine.version()
    with engine.api() as before:
        pass
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with engine.api() as mine:
            os.write(write, b"other" if mine is not before else b"same")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"other"
    os.close(read)
    os.close(write)
    assert engine.version() == version
