"""Brings a workspace forward to a commit that was pushed, or leaves it as it is and says why."""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from scar.git_url import GitUrl
from workers.agent.workspace import exclusive_workspace
from workers.engine.process import RunControl
from workers.git.clone import github_credential
from workers.git.command import ask
from workers.git.commit import origin
from workers.git.forward import Forward
from workers.git.shadow import Shadow
from workers.runtime.context import JobContext
from workers.state.workspace_lock import NOTICE, lock_path

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 10 * 60.0
_HALFWAY = (
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"),
    *("rebase-merge", "rebase-apply", "BISECT_LOG"),
)


@dataclass(frozen=True)
class Push:
    """What was pushed where; `repository` is `host/owner/name`."""

    repository: str
    branch: str
    commit: str

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Push | None:
        """The push that a deploy is for, if it is for one."""
        found = args.get("push")
        if found is None:
            return None
        push = cls(str(found["repository"]), str(found["branch"]), str(found["commit"]))
        if not _COMMIT.fullmatch(push.commit) or not re.fullmatch(r"[^-\s][^\s]*", push.branch):
            raise ScarError("invalid_request", "That is no push to a branch", "See the webhook.")
        return push


def update_workspace(context: JobContext, push: Push) -> str | None:
    """Updates the project's workspace to the pushed commit, and no further; where it was before,
    None where it holds the commit already.

    Raises `conflict` where the workspace is not as it would have to be: then nothing is done.
    """
    workspace = context.project.workspace
    with _held(context) as (state, lock):
        Forward.settle(state, workspace)
        before = _require_fit(workspace, push)
        shadow = Shadow(state / "git", workspace)
        try:
            shadow.be_at(before)
            _require_clean(shadow)
            if shadow.holds(push.commit) and shadow.follows(before, push.commit):
                return None
            _fetch(context, shadow, push, RunControl(context.check, _SECONDS, (lock,)))
            if not shadow.follows(push.commit, before):
                raise _left_alone(
                    workspace,
                    f"{push.branch} was rewritten, or the workspace has commits of its own",
                    f"Bring it to {push.commit[:7]} yourself (`git pull --rebase`), then deploy.",
                )
            forward = Forward(
                state, workspace, push.branch, before, push.commit, context.request.id
            )
            forward.go(shadow, context.check)
            return before
        finally:
            shadow.remove()


def settle_workspace(context: JobContext) -> None:
    """Finishes an update that was cut off; `conflict` where somebody has worked on it since."""
    if Forward.cut_off(_state(context)):
        # This deploy does not hold the workspace: whoever does may rightly be at work there.
        with _held(context, notice=math.inf) as (state, _):
            Forward.settle(state, context.project.workspace)


def _state(context: JobContext) -> Path:
    lock = lock_path(context.settings.state_dir, context.project.workspace)
    return lock.with_name(f"{lock.name}.update")


@contextmanager
def _held(context: JobContext, *, notice: float = NOTICE) -> Iterator[tuple[Path, int]]:
    """The workspace for this job alone: where its notes are, and the lock's descriptor."""
    holder = f"{context.request.kind} {context.request.id}"
    workspace, state_dir = context.project.workspace, context.settings.state_dir
    check = context.check
    with exclusive_workspace(state_dir, workspace, check, holder=holder, notice=notice) as lock:
        yield _state(context), lock


def _require_fit(workspace: Path, push: Push) -> str:
    """The commit of the workspace, once its repository and its branch are those of the push."""
    try:
        own = stat.S_ISDIR((workspace / ".git").lstat().st_mode)
    except FileNotFoundError:
        own = False
    if not own:
        raise _left_alone(workspace, "it has no .git of its own", "Use a plain clone.")
    found = origin(workspace)
    if found is None or not _is_of(found[0], push.repository):
        name = found[0].name if found else "nowhere"
        raise _left_alone(
            workspace,
            f"its origin is {name}, not {push.repository}",
            "Correct `git remote set-url origin`, or `workspace` in the projects file.",
        )
    branch = ask(workspace, "symbolic-ref", "-q", "HEAD") or "no branch"
    branch = branch.removeprefix("refs/heads/")
    if branch != push.branch:
        hint = f"`git switch {push.branch}` there, then deploy."
        raise _left_alone(workspace, f"it is on {branch}, not on {push.branch}", hint)
    halfway = [name for name in _HALFWAY if (workspace / ".git" / name).exists()]
    if halfway:
        raise _left_alone(
            workspace, "a merge or a rebase is under way", "End it (`git status` says how)."
        )
    for setting, bad in (("core.sparseCheckout", "true"), ("extensions.objectFormat", "sha256")):
        if ask(workspace, "config", "--get", setting) == bad:
            raise _left_alone(
                workspace, f"{setting} is {bad}, which SCAR cannot update", "Update it yourself."
            )
    commit = ask(workspace, "rev-parse", "--verify", "-q", "HEAD")
    if commit is None:
        raise _left_alone(workspace, "it has no commit yet", "`git pull` there once.")
    return commit


def _is_of(origin: GitUrl, repository: str) -> bool:
    """Whether a push to `host/owner/name` was one to the workspace's origin.

    By which name a host is reached is not compared, and a folder has no name at all: that the
    pushed commit is on the origin's branch is looked at in any case.
    """
    pushed = repository.partition("/")[2]
    return origin.scheme == "file" or origin.path.casefold() == pushed.casefold()


def _require_clean(shadow: Shadow) -> None:
    words = ("status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
    changed = [part[3:] for part in shadow.parts(*words, "--untracked-files=no")]
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise _left_alone(
            shadow.workspace,
            f"it has changes that are not committed ({', '.join(changed[:5])}{more})",
            "Commit or discard them, then deploy.",
        )


def _fetch(context: JobContext, shadow: Shadow, push: Push, control: RunControl) -> None:
    found = origin(shadow.workspace)
    assert found is not None
    repository, known = found
    credential = known or github_credential(repository, context.settings)
    if known:
        context.masker.hide((known.password,))
    tip = shadow.fetch(repository, credential, push.branch, control)
    if not (shadow.holds(push.commit) and shadow.follows(tip, push.commit)):
        raise _left_alone(
            shadow.workspace,
            f"{push.commit[:7]} is not on {push.branch} of its origin",
            "Another repository was pushed to, or the branch was rewritten since: that push is "
            "deployed by itself.",
        )


def _left_alone(workspace: Path, why: str, hint: str) -> ScarError:
    return ScarError("conflict", f"The workspace {workspace} was left as it is: {why}", hint)
