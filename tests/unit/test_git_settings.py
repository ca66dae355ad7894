"""What of a `.git` an agent's changes are looked for in."""

from __future__ import annotations

import pytest

from workers.agent.git_settings import is_in_snapshot


@pytest.mark.parametrize("name", ["logs", "objects", "refs", "lfs", "site"])
def test_a_module_is_looked_at_whatever_it_is_called(name: str) -> None:
    for kind in ("modules", "worktrees"):
        for path in (f"{name}/hooks/pre-commit", f"{name}/config"):
            assert is_in_snapshot(f".git/{kind}/{path}", folder=False)
        assert is_in_snapshot(f".git/{kind}/{name}", folder=True)
        assert not is_in_snapshot(f".git/{kind}/{name}/objects/ab/cd", folder=False)
