"""Builds the report of what an agent's run has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from scar.errors import ScarError
from scar.jobs.results.agent import AgentReport
from scar.jobs.results.file_changes import FileCounts, FileNames
from workers.agent.changes import ChangedPaths, changed_paths
from workers.agent.difference import difference
from workers.agent.git_settings import settings_in
from workers.agent.output import AgentOutput
from workers.agent.run_store import RunRecord, RunStore
from workers.agent.snapshot import Contents
from workers.files.failures import shown
from workers.files.undo import Undo
from workers.git.commit import workspace_commit
from workers.runtime.context import JobContext

_SHOWN = 200
_NAMED = 5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AgentChanges:
    """The workspace before a run (`record`) and after it (`now`), and the undo record between
    them.
    """

    context: JobContext
    record: RunRecord
    undo: Undo
    now: Contents

    @classmethod
    def since(cls, context: JobContext, run_store: RunStore) -> AgentChanges:
        """Compare the workspace with the snapshot of the last run, and save how to undo it."""
        now = run_store.scan(context.project.workspace)
        undo = run_store.undo_until(now)
        run_store.save_undo(undo)
        record = run_store.last_run
        assert record is not None
        return cls(context, record, undo, now)

    def report(
        self, run_store: RunStore, output: AgentOutput, seconds: float | None
    ) -> AgentReport:
        """Return the result of the job; lists of files contain at most 200 of each sort."""
        files = changed_paths(self.undo, self.now)
        diff, left_out = self._difference(run_store)
        return AgentReport(
            workspace=str(self.context.project.workspace),
            counts=file_counts(files),
            files=file_names(files),
            diff=diff,
            not_in_diff=first_names(left_out),
            notices=tuple(self._notices()),
            output=tuple(self.context.masker.line(line) for line in output.last),
            seconds=seconds,
        )

    def _difference(self, run_store: RunStore) -> tuple[str, list[str]]:
        try:
            diff, left_out = difference(self.undo, run_store.content_store)
        except (OSError, ScarError) as error:
            # Somebody is changing files at this moment, so there is no diff; the list of files is
            # still reported.
            _log.warning("no diff", job=self.context.request.id, reason=str(error))
            return "", []
        return self.context.masker.text(diff), left_out

    def _notices(self) -> list[str]:
        workspace = self.context.project.workspace
        notices = []
        if not workspace.is_dir():
            notices.append(
                f"The whole workspace {workspace} is gone; Discard brings its files back."
            )
        if self.record.git and not (workspace / ".git").exists():
            notices.append("`.git` is gone, with every commit in it: Discard cannot bring it back.")
        elif workspace_commit(workspace).commit != self.record.commit:
            notices.append(
                "Commits were made: Discard brings files back, and leaves commits as they are."
            )
        if settings := settings_in(self.undo.after):
            names = ", ".join(shown(path) for path in settings[:_NAMED])
            notices.append(
                f"{len(settings)} of Git's hooks and settings changed, and can make Git run a "
                f"program; Discard takes that back: {names}"
            )
        if (workspace / ".git").is_file():
            notices.append(
                "`.git` is a file: its repository is elsewhere, and what changed there is not seen."
            )
        new = self.now.left_out - set(self.record.left_out)
        for what, paths in (
            ("Neither files nor links", new & self.now.special),
            ("Too deep, mostly holes or still being written", new - self.now.special),
        ):
            if paths:
                names = ", ".join(shown(path) for path in sorted(paths)[:_NAMED])
                notices.append(f"{what}, Discard leaves them: {names}")
        return notices


def not_compared(
    context: JobContext, failure: ScarError, output: AgentOutput, seconds: float | None
) -> AgentReport:
    """Return the result of a run whose changes could not be determined."""
    return AgentReport(
        workspace=str(context.project.workspace),
        counts=FileCounts(0, 0, 0),
        files=FileNames((), (), ()),
        diff="",
        not_in_diff=(),
        notices=(
            f"What it changed is not known: {failure.message}. Discard compares again, and takes "
            "back whatever changed since the agent began.",
        ),
        output=tuple(context.masker.line(line) for line in output.last),
        seconds=seconds,
        compared=False,
    )


def file_counts(paths: ChangedPaths) -> FileCounts:
    """Return the numbers of added, changed and removed paths."""
    return FileCounts(len(paths.added), len(paths.changed), len(paths.removed))


def file_names(paths: ChangedPaths) -> FileNames:
    """Return the first added, changed and removed paths."""
    return FileNames(
        first_names(paths.added), first_names(paths.changed), first_names(paths.removed)
    )


def first_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the first 200 paths, made safe to display."""
    return tuple(shown(path) for path in paths[:_SHOWN])
