"""Which files of a `.git` folder are compared after an agent's run."""

from __future__ import annotations

import pytest

from workers.agent.git_settings import is_in_snapshot


@pytest.mark.parametrize("name", ["logs", "objects", "refs", "lfs", "site"])
def test_settings_of_a_git_submodule_are_watched_whatever_its_name(name: str) -> None:
    for kind in ("modules", "worktrees"):
        for path in (f"{name}/hooks/pre-commit", f"{name}/config"):
            assert is_in_snapshot(f".git/{kind}/{path}", folder=False)
        assert is_in_snapshot(f".git/{kind}/{name}", folder=True)
        assert not is_in_snapshot(f".git/{kind}/{name}/objects/ab/cd", folder=False)
