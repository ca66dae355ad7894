"""Shows a job in the shell until it has ended; if it asks a question, reads the answer from
standard input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from scar.chat.job_view import view_job
from scar.cli.shell_words import for_shell, shell_words
from scar.commands.job_command import JobCommand
from scar.document import Document
from scar.errors import ScarError
from scar.frontends.console.screen import Screen
from scar.jobs.event import Event
from scar.jobs.record import Job, JobState

if TYPE_CHECKING:
    from scar.client import ApiClient

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""

LIVE = "follow"
"""The kind of job whose output is its answer: its lines are printed as they come."""


def require_answerable(kind: str) -> None:
    """Raise `invalid_request` if the kind asks a question and standard input is closed."""
    if _input_has_ended():
        raise ScarError(
            "invalid_request",
            f"`scar {kind}` asks for a yes, and there is nobody to answer: the input has ended",
            f"Answer in a terminal, or say it beforehand: scar {kind} --yes",
        )


def _input_has_ended() -> bool:
    if sys.stdin is None:
        return True
    if sys.stdin.isatty() or not select.select([sys.stdin], [], [], 0)[0]:
        return False
    return not sys.stdin.buffer.peek(1)  # type: ignore[union-attr]


class JobFollower:
    """Follows one job.

    On a terminal, the job is shown in place. Otherwise only its end is written to stdout, and its
    progress to stderr. `own` says that this command submitted the job.
    """

    def __init__(
        self, client: ApiClient, command: JobCommand, *, as_json: bool, own: bool = True
    ) -> None:
        self._client = client
        self._command = command
        self._as_json = as_json
        self._own = own
        self._piped = not sys.stdout.isatty()
        self._screen = Screen(sys.stderr if self._piped else sys.stdout)

    def follow(self, submitted: Job) -> int:
        """Return the exit code: 0 where the job succeeded, 1 where it did not; 130 after Ctrl-C.

        A terminal that is closed, and SIGTERM, count as Ctrl-C.
        """
        for ends in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(ends, signal.default_int_handler)
        self._job = Job(request=submitted.request, state=JobState.QUEUED)
        try:
            while not self._job.state.ended:
                self._show_events()
                if self._job.awaits_answer:
                    self._answer(self._job)
        except KeyboardInterrupt:
            return self._interrupted(self._job)
        if self._as_json:
            record = self._client.request("GET", f"/jobs/{self._job.id}")
            click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        elif self._piped and not (self._streams and self._job.output):
            click.echo(self._document(self._job).text)
        return 0 if self._job.state is JobState.SUCCEEDED else 1

    @property
    def _streams(self) -> bool:
        return self._command.kind == LIVE and self._piped

    def _show_events(self) -> None:
        """Show the job until it has ended or asks its question."""
        with self._screen:
            for event in self._client.events(self._job.id, self._job.last_event):
                self._job = self._job.after(event)
                if self._job.awaits_answer:
                    break
                if not self._as_json:
                    self._show(event)

    def _show(self, event: Event) -> None:
        if self._streams:
            if event.type == "output":
                click.echo(event.data["line"])
        elif not self._piped or self._is_progress(self._job):
            self._screen.show(self._job.id, self._document(self._job))

    def _is_progress(self, job: Job) -> bool:
        """Return whether the job's state is written to stderr if stdout is a pipe: not at the end,
        and not `Reading...`.
        """
        ends = job.state.ended or job.result is not None
        return not ends and (job.request.changes or job.error is not None)

    def _document(self, job: Job) -> Document:
        document = view_job(self._command, job)
        if document.attachment:  # a terminal needs no attached file
            document = Document.of(document.blocks[0].text, document.attachment.text.rstrip("\n"))
        return for_shell(document.with_commands() if job.state.ended else document)

    def _answer(self, job: Job) -> None:
        to_stderr = self._as_json or self._piped
        click.echo(for_shell(view_job(self._command, job)).text, err=to_stderr)
        if not self._own:
            require_answerable(f"job {job.id}")
        click.echo("› ", nl=False, err=True)
        answer = sys.stdin.readline().strip().lower()
        body = {"answer": "yes" if answer == "yes" else "no", "shown": job.plan_hash}
        try:
            self._client.request("POST", f"/jobs/{job.id}/confirm", json=body)
        except ScarError as error:
            if error.code != "conflict":
                raise
            click.echo(shell_words(error.message), err=True)  # its events show why

    def _interrupted(self, job: Job) -> int:
        """Cancel a job that only reads or that nobody has confirmed.

        For a job that is changing something, print how to watch or cancel it. A cancelled follow
        counts as success.
        """
        begun = job.state in (JobState.RUNNING, JobState.QUEUED) and job.request.changes
        if begun or not self._own:
            click.echo(
                f"\n{self._command.kind} {job.request.project or ''}".rstrip()
                + f" goes on without this terminal.\nSee it: scar job {job.id}\n"
                f"Stop it: scar cancel {job.id}",
                err=True,
            )
            return INTERRUPTED
        with suppress(ScarError):  # it has just ended
            self._client.request("POST", f"/jobs/{job.id}/cancel")
        if self._command.kind == LIVE:
            return os.EX_OK
        click.echo("\nStopped: nothing was done.", err=True)
        return INTERRUPTED
