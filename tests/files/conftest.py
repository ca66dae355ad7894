"""A scene for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files_scene import FilesScene


@pytest.fixture
def scene(tmp_path: Path) -> FilesScene:
    return FilesScene(tmp_path)
