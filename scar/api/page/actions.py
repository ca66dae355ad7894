"""The page's actions: run a command, answer a job's question, cancel a job."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from flask import Response, request
from flask.typing import ResponseReturnValue

from scar.api.auth import actor, visible_project, voucher
from scar.api.context import context
from scar.api.page.job_views import readable_job, show
from scar.api.page.rendering import page
from scar.api.page.spoken import choice, command_context, default_project, parse, visible_file
from scar.commands.command import WhichProject
from scar.commands.command_parser import ParsedCommand
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.local_command import LocalCommand, RepeatCommand
from scar.commands.lock import COMMAND as LOCK
from scar.errors import ScarError
from scar.jobs.record import Job

_LONGEST_TEXT = 10_000
_LONGEST_KEY = 64


def say() -> ResponseReturnValue:
    """Run a command; redirect to its job, or show its reply."""
    text = request.form.get("text", "")[:_LONGEST_TEXT]
    try:
        parsed = parse(text)
        if isinstance(parsed.command, LocalCommand):
            return _reply(parsed.command, parsed)
        if isinstance(parsed.command, JobCommand):
            return to_job(_submit(*_invocation(parsed.command, parsed)))
        if isinstance(parsed.command, RepeatCommand):
            repeated = parsed.command.find(actor(), parsed.words, command_context())
            return to_job(_submit(*repeated))
        return to_job(parsed.command.find(actor(), parsed.words, command_context()))
    except WhichProject as question:
        offered = [choice(question.short[name], text) for name, text in question.choices.items()]
        return page("choices.html", message=question.message, choices=offered)


def lock(name: str) -> ResponseReturnValue:
    """Lock a project with the reason that was typed."""
    known, reason = visible_project(name), " ".join(request.form.get("reason", "").split())
    parsed = ParsedCommand(LOCK, (known.name, *reason.split()))
    _reply(LOCK, parsed)
    return see_other(f"/projects/{known.name}")


def answer(job_id: str) -> ResponseReturnValue:
    """Answer the question of a job, for the plan that was shown."""
    job = readable_job(job_id)
    word, plan = request.form.get("answer", ""), request.form.get("shown", "")
    if word == "yes" and not plan:
        raise ScarError("invalid_request", "A yes names its plan", "Load the page again.")
    try:
        context().services.job_service.confirm(
            actor(), job.id, word, shown=plan or None, voucher=voucher()
        )
    except ScarError as error:
        return show(readable_job(job_id), error.status, error.record())
    return to_job(job)


def cancel(job_id: str) -> ResponseReturnValue:
    """Cancel a job."""
    job = readable_job(job_id)
    try:
        context().services.job_service.cancel(actor(), job.id, voucher=voucher())
    except ScarError as error:
        return show(readable_job(job_id), error.status, error.record())
    return to_job(job)


def to_job(job: Job) -> Response:
    """Return a redirect to a job's screen."""
    return see_other(f"/jobs/{job.id}")


def see_other(path: str) -> Response:
    """Return a redirect to another screen, which is loaded with GET."""
    return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


def _reply(command: LocalCommand, parsed: ParsedCommand) -> Response:
    audit = context().services.audit
    try:
        reply = command.reply(actor(), parsed.words, command_context())
    except ScarError as error:
        audit.write_refusal(actor(), command.word, f"refused: {error.code}")
        raise
    audit.write(actor(), command.word, "answered")
    return page("reply.html", command=command, document=reply)


def _invocation(command: JobCommand, parsed: ParsedCommand) -> tuple[JobCommand, Invocation]:
    projects = visible_file()
    invocation = command.parse(parsed.words, projects, partial(default_project, projects))
    return invocation.command or command, invocation


def _submit(command: JobCommand, invocation: Invocation) -> Job:
    submit = partial(
        context().services.job_service.submit,
        actor(),
        command,
        invocation.project,
        invocation.args,
        voucher=voucher(),
    )
    key = request.form.get("key", "")[:_LONGEST_KEY]
    job = submit(idempotency_key=f"page:{key}" if key else None)
    # The idempotency key of a button was used before: the person went back to the screen and tapped
    # it again.
    return submit() if job.state.ended and job.request.asks else job
