"""Updates a workspace to a pushed commit; if that is impossible, leaves the workspace unchanged
and says why.
"""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from scar.git_url import GitUrl
from scar.json_object import JsonObject
from workers.agent.workspace import exclusive_workspace
from workers.engine.process import RunControl
from workers.git.clone import github_credential
from workers.git.command import query
from workers.git.commit import origin
from workers.git.fast_forward import FastForward
from workers.git.shadow import STATUS, ShadowRepository
from workers.runtime.context import JobContext
from workers.state.workspace_lock import NOTICE, lock_path

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BRANCH = re.compile(r"[^-\s][^\s]*")
_SECONDS = 10 * 60.0
_UNFINISHED = (
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"),
    *("rebase-merge", "rebase-apply", "BISECT_LOG"),
)
_UNSUPPORTED = (("core.sparseCheckout", "true"), ("extensions.objectFormat", "sha256"))


@dataclass(frozen=True)
class PushedCommit:
    """A push of a commit to a branch; `repository` is `host/owner/name`."""

    repository: str
    branch: str
    commit: str

    @classmethod
    def of(cls, args: JsonObject) -> PushedCommit | None:
        """Return the push in the arguments of a deploy; None if they contain none."""
        raw = args.get("push")
        if raw is None:
            return None
        push = cls(str(raw["repository"]), str(raw["branch"]), str(raw["commit"]))
        if not _COMMIT.fullmatch(push.commit) or not _BRANCH.fullmatch(push.branch):
            raise ScarError("invalid_request", "That is no push to a branch", "See the webhook.")
        return push


def update_workspace(context: JobContext, push: PushedCommit) -> str | None:
    """Fast-forward the project's workspace to the pushed commit, even if the branch has a later
    one.

    Returns the commit that was checked out before, None if the workspace already has the pushed
    commit. Raises `conflict` if the workspace cannot be fast-forwarded; it is then unchanged.
    """
    workspace = context.project.workspace
    with _workspace_held(context) as (state, lock):
        FastForward.resume(state, workspace)
        before = _require_fit(workspace, push)
        shadow = ShadowRepository(state / "git", workspace)
        try:
            shadow.set_head(before)
            _require_clean(shadow)
            if shadow.has_commit(push.commit) and shadow.is_ancestor(push.commit, before):
                return None
            _fetch(context, shadow, push, RunControl(context.check, _SECONDS, (lock,)))
            if not shadow.is_ancestor(before, push.commit):
                raise _left_alone(
                    workspace,
                    f"{push.branch} was rewritten, or the workspace has commits of its own",
                    f"Bring it to {push.commit[:7]} yourself (`git pull --rebase`), then deploy.",
                )
            job = context.request.id
            forward = FastForward(state, workspace, push.branch, before, push.commit, job)
            forward.run(shadow, context.check)
            return before
        finally:
            shadow.remove()


def resume_update(context: JobContext) -> None:
    """Finish an interrupted update; raise `conflict` if somebody has changed the same files
    since.
    """
    if FastForward.is_interrupted(_state(context)):
        # Without notice: do not SIGKILL the workspace's holder, who began after the interruption.
        with _workspace_held(context, notice=math.inf) as (state, _):
            FastForward.resume(state, context.project.workspace)


def _state(context: JobContext) -> Path:
    lock = lock_path(context.settings.state_dir, context.project.workspace)
    return lock.with_name(f"{lock.name}.update")


@contextmanager
def _workspace_held(context: JobContext, *, notice: float = NOTICE) -> Iterator[tuple[Path, int]]:
    """Hold the workspace's exclusive lock; yield the folder of the update's record and the
    lock's descriptor.
    """
    holder = f"{context.request.kind} {context.request.id}"
    workspace, state_dir = context.project.workspace, context.settings.state_dir
    check = context.check
    with exclusive_workspace(state_dir, workspace, check, holder=holder, notice=notice) as lock:
        yield _state(context), lock


def _require_fit(workspace: Path, push: PushedCommit) -> str:
    """Check that the repository, the branch and the state of the workspace allow the update;
    return its commit.
    """
    try:
        is_folder = stat.S_ISDIR((workspace / ".git").lstat().st_mode)
    except FileNotFoundError:
        is_folder = False
    if not is_folder:
        raise _left_alone(workspace, "it has no .git of its own", "Use a plain clone.")
    _require_origin(workspace, push)
    head = query(workspace, "symbolic-ref", "-q", "HEAD") or "no branch"
    branch = head.removeprefix("refs/heads/")
    if branch != push.branch:
        hint = f"`git switch {push.branch}` there, then deploy."
        raise _left_alone(workspace, f"it is on {branch}, not on {push.branch}", hint)
    if any((workspace / ".git" / name).exists() for name in _UNFINISHED):
        raise _left_alone(
            workspace, "a merge or a rebase is under way", "End it (`git status` says how)."
        )
    for setting, value in _UNSUPPORTED:
        if query(workspace, "config", "--get", setting) == value:
            raise _left_alone(
                workspace, f"{setting} is {value}, which SCAR cannot update", "Update it yourself."
            )
    commit = query(workspace, "rev-parse", "--verify", "-q", "HEAD")
    if commit is None:
        raise _left_alone(workspace, "it has no commit yet", "`git pull` there once.")
    return commit


def _require_origin(workspace: Path, push: PushedCommit) -> None:
    source = origin(workspace)
    if source is None or not _is_push_to(source[0], push.repository):
        name = source[0].name if source else "nowhere"
        raise _left_alone(
            workspace,
            f"its origin is {name}, not {push.repository}",
            "Correct `git remote set-url origin`, or `workspace` in the projects file.",
        )


def _is_push_to(origin: GitUrl, repository: str) -> bool:
    """Return whether a push to `host/owner/name` may have been to the workspace's origin.

    Hosts are not compared, because one host may have several names, and a local folder has neither
    host nor owner. `_fetch` checks in any case that the pushed commit is on the origin's branch.
    """
    path = repository.partition("/")[2]
    return origin.scheme == "file" or origin.path.casefold() == path.casefold()


def _require_clean(shadow: ShadowRepository) -> None:
    changed = [field[3:] for field in shadow.fields(*STATUS, "--untracked-files=no")]
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise _left_alone(
            shadow.workspace,
            f"it has changes that are not committed ({', '.join(changed[:5])}{more})",
            "Commit or discard them, then deploy.",
        )


def _fetch(
    context: JobContext, shadow: ShadowRepository, push: PushedCommit, control: RunControl
) -> None:
    """Fetch the pushed branch; raise `conflict` if the pushed commit is not on it."""
    source = origin(shadow.workspace)
    assert source is not None
    repository, own = source
    if own:
        context.masker.hide((own.password,))
    credential = own or github_credential(repository, context.settings)
    tip = shadow.fetch(repository, credential, push.branch, control)
    if not (shadow.has_commit(push.commit) and shadow.is_ancestor(push.commit, tip)):
        raise _left_alone(
            shadow.workspace,
            f"{push.commit[:7]} is not on {push.branch} of its origin",
            "Another repository was pushed to, or the branch was rewritten since: that push is "
            "deployed by itself.",
        )


def _left_alone(workspace: Path, why: str, hint: str) -> ScarError:
    return ScarError("conflict", f"The workspace {workspace} was left as it is: {why}", hint)
