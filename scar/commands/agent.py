"""`@scar INSTRUCTION`: has the project's coding agent work in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marshmallow import fields, validate

from scar.commands.arguments import NoArguments, pattern
from scar.commands.command import WhichProject
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.commands.text_format import beginning_of, changed_files, counted
from scar.document import Attachment, Button, Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.jobs.results.agent import AgentReport
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile, workspace_resource
from scar.redaction import clean

_VISIBLE = (
    r"[^\u001b\u0080-\u009f]*[^\u0000-\u0020\u007f-\u00a0\u061c\u1680\u2000-\u200f\u2028-\u202f"
    r"\u205f\u2066-\u206f\u3000\ufeff][\s\S]*"
)
"""Matches a text that is not empty once invisible characters and escape sequences are removed."""

LONGEST = 8000
"""Maximum number of characters of an instruction."""

_LONGEST_REPEATED = 200
_MOST_REPEATED = 7
_LAST_LINES = 12
_LONGEST_LINE = 200
_PUNCTUATION = ".,;:!?\"'`()[]{}<>*_“”‘’«»"


class AgentArguments(NoArguments):
    """What the agent is to do. Invisible characters are left out of it."""

    instruction = fields.String(
        required=True,
        validate=[
            pattern(_VISIBLE, "an instruction"),
            validate.Length(1, LONGEST, error=f"has more than {LONGEST} characters"),
        ],
    )


class AgentRunCommand(JobCommand):
    """Runs the coding agent. The job locks only the workspace: until it ends, containers can be
    restarted, but nothing can be deployed.
    """

    word = "agent"
    kind = "agent"
    usage = "INSTRUCTION"
    summary = "the project's coding agent works in the workspace"
    noun = "the coding agent"
    examples = ("shop: show the new prices on the front page",)
    schema = AgentArguments
    takes_text = True
    rank = 60

    @property
    def spelled(self) -> str:
        """The command as it is usually typed: a mention of SCAR's name, then the instruction."""
        return f"@scar {self.usage}"

    def locks(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the workspace as the only resource that the job locks."""
        return (workspace_resource(project),) if project else ()

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse the instruction. It is for the project it names, else for the only project with an
        agent. A project's name and colon at the beginning are removed.

        Raises `WhichProject` if several projects could be meant.
        """
        text = " ".join(words)
        if not text.strip():
            raise self.misuse("@scar takes an instruction")
        project, instruction = _addressed(text, projects)
        args = self.arguments({"instruction": instruction})
        return Invocation(project or _project_meant(args["instruction"], projects, default), args)

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return `instruction`, a text of 1 to 8000 characters."""
        text = raw.get("instruction")
        if isinstance(text, str):
            raw = {**raw, "instruction": clean(text.replace("\r\n", "\n")).strip()}
        return super().arguments(raw)

    def view(self, job: Job) -> Document:
        """Return the last lines of the agent's output while it works, then what the agent has
        changed.
        """
        if not job.state.ended:
            return waiting(job) or _working(job)
        if job.state is not JobState.SUCCEEDED:
            word = "was cancelled" if job.state is JobState.CANCELLED else "failed"
            return _with_changes(failure(job, f"The agent {word}").blocks, job)
        output = job.read_result(AgentReport).output
        return _with_changes(_output_block(output[-_LAST_LINES:]), job)


def _addressed(text: str, projects: ProjectsFile) -> tuple[Project | None, str]:
    """Split `shop: fix it` into the project before the colon and the instruction; the project is
    None if there is none.
    """
    name, colon, rest = text.partition(":")
    project = projects.projects.get(name.strip()) if colon else None
    return (project, rest.strip()) if project and rest.strip() else (None, text)


def _project_meant(text: str, projects: ProjectsFile, default: Callable[[], Project]) -> Project:
    words = {w.strip(_PUNCTUATION).removesuffix("'s").removesuffix("’s") for w in text.split()}
    named = [p for name, p in projects.projects.items() if name in {w.lower() for w in words}]
    with_agent = [p for p in named or projects.projects.values() if p.agent]
    if len(with_agent) == 1:
        return with_agent[0]
    if not with_agent:
        # Without an agent, the job fails with an error that says how to configure one.
        return named[0] if named else default()
    word = AgentRunCommand.word
    choices = {p.name: f"/{word} {p.name}: {text}" for p in with_agent}
    if len(text) <= _LONGEST_REPEATED and len(choices) <= _MOST_REPEATED:
        raise WhichProject(choices, choices)
    raise WhichProject(choices, {name: f"/{word} {name}: INSTRUCTION" for name in choices})


def _working(job: Job) -> Document:
    step = job.step("working")
    if step is None or step.started_at is None:
        return Document.of("🤖 Getting ready...")
    heading = Line(f"🤖 Working in {step.detail}...")
    return Document((heading, *_output_block(job.output[-_LAST_LINES:])))


def _output_block(lines: Sequence[str]) -> tuple[Line | Code, ...]:
    cut = (line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines)
    text = "\n".join(cut)
    return (Code(text),) if text.strip() else ()


def _with_changes(blocks: tuple[Line | Code, ...], job: Job) -> Document:
    """Append the agent's changes, with buttons to deploy or discard them; append nothing if the
    agent was never started.
    """
    if not job.result:
        return Document(blocks)
    report, name = job.read_result(AgentReport), job.request.project or ""
    notices = tuple(Line(f"⚠️ {notice}") for notice in report.notices)
    if not report.compared:
        return Document((*blocks, *notices), (_discard(name),))
    if not report.counts.total:
        nothing = Line("✅ Done: nothing was changed in the workspace.")
        return Document((*blocks, nothing, *notices))
    lines = [
        f"✅ Done in workspace: {counted(report.counts.total, 'file')} changed",
        *changed_files(report.counts, report.files),
    ]
    diff = report.diff.rstrip()
    beginning = beginning_of(diff)
    code = (Code(beginning),) if beginning else ()
    attachment = Attachment(f"{name}.diff", f"{diff}\n") if beginning != diff else None
    return Document((*blocks, Line("\n".join(lines)), *code, *notices), _buttons(name), attachment)


def _buttons(name: str) -> tuple[Button, ...]:
    return (
        Button("🚀 Deploy", "deploy", f"/docker_deploy {name}"),
        Button("🔍 Show diff", "diff", f"/docker_diff {name}"),
        _discard(name),
    )


def _discard(name: str) -> Button:
    return Button("🗑️ Discard", "discard", f"/agent_discard {name}")


COMMAND = AgentRunCommand()
