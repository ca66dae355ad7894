"""`@scar INSTRUCTION`: the project's coding agent works in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scar.access import Role
from scar.commands.command import Invocation, JobCommand, WhichProject, failure, waiting
from scar.commands.words import counted
from scar.document import Attachment, Button, Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.projects import Project, ProjectsFile, workspace_resource
from scar.redaction import clean

LONGEST = 8000
"""Characters of an instruction."""

_LIVE_LINES = 12
_LAST_LINES = 12
_LINE = 200
_NAMES = 10
_DIFF_LINES = 40
_DIFF_CHARACTERS = 2000
_AROUND = ".,;:!?\"'`()[]{}<>*_“”‘’«»"
_SIGNS = (("added", "+"), ("changed", "~"), ("removed", "-"))


class Agent(JobCommand):
    """Holds the workspace alone: containers can be restarted meanwhile, but not deployed."""

    word = "agent"
    kind = "agent"
    usage = "INSTRUCTION"
    summary = "the project's coding agent works in the workspace"
    role = Role.ADMIN
    changes = True
    takes_text = True
    rank = 60

    @property
    def spelled(self) -> str:
        """As it is mostly typed."""
        return f"@scar {self.usage}"

    def locks(self, project: Project | None, args: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """The workspace, and nothing of what runs."""
        return (workspace_resource(project),) if project else ()

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """The project that the instruction names, else the only one with an agent; where there are
        several, `WhichProject`. A name and a colon in front are no part of the instruction."""
        text = " ".join(words)
        project, instruction = _addressed(text, projects)
        args = self.arguments({"instruction": instruction})
        return Invocation(project or _meant(args["instruction"], projects, default), args)

    def arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """`instruction`, a text of 1 to 8000 characters."""
        super().arguments({name: value for name, value in raw.items() if name != "instruction"})
        text = raw.get("instruction")
        if not isinstance(text, str) or not (text := clean(text.replace("\r\n", "\n")).strip()):
            raise self.misuse("The agent needs an instruction")
        if len(text) > LONGEST:
            raise self.misuse(f"An instruction has at most {LONGEST} characters, not {len(text)}")
        return {"instruction": text}

    def view(self, job: Job) -> Document:
        """The last lines while it works, then what it changed."""
        if not job.state.ended:
            return waiting(job) or _working(job)
        name = job.request.project or ""
        if job.state is not JobState.SUCCEEDED:
            word = "was cancelled" if job.state is JobState.CANCELLED else "failed"
            blocks = failure(job, f"The agent {word}").blocks
            return _with_changes(blocks, name, job.result)
        result = job.result or {}
        blocks = _code(result.get("output", ())[-_LAST_LINES:])
        return _with_changes(blocks, name, result)


def _addressed(text: str, projects: ProjectsFile) -> tuple[Project | None, str]:
    """`shop: fix it` is for the project in front of the colon."""
    name, colon, rest = text.partition(":")
    found = projects.projects.get(name.strip()) if colon else None
    return (found, rest.strip()) if found and rest.strip() else (None, text)


def _meant(text: str, projects: ProjectsFile, default: Callable[[], Project]) -> Project:
    """The project that an instruction is about."""
    words = {word.strip(_AROUND).removesuffix("'s").removesuffix("’s") for word in text.split()}
    named = [p for name, p in projects.projects.items() if name in {w.lower() for w in words}]
    able = [p for p in named or projects.projects.values() if p.agent]
    if len(able) == 1:
        return able[0]
    if not able:
        # One without an agent: its worker says how it gets one.
        return named[0] if named else default()
    raise WhichProject({p.name: f"/{Agent.word} {p.name}: {text}" for p in able})


def _working(job: Job) -> Document:
    step = job.step("working")
    if step is None or step.started_at is None:
        return Document.of("🤖 Getting ready...")
    heading = Line(f"🤖 Working in {step.detail}...")
    return Document((heading, *_code(job.output[-_LIVE_LINES:])))


def _code(lines: Sequence[str]) -> tuple[Line | Code, ...]:
    text = "\n".join(line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines)
    return (Code(text),) if text.strip() else ()


def _with_changes(
    blocks: tuple[Line | Code, ...], name: str, result: Mapping[str, Any] | None
) -> Document:
    """What was changed, and what can be done with it; nothing of it where none began to work."""
    if not result or "files" not in result:
        return Document(blocks)
    total = sum(result["counts"].values())
    notices = tuple(Line(f"⚠️ {notice}") for notice in result["notices"])
    if not total:
        nothing = Line("✅ Done: nothing was changed in the workspace.")
        return Document((*blocks, nothing, *notices))
    lines = [f"✅ Done in workspace: {counted(total, 'file')} changed", *changed_files(result)]
    diff = result["diff"].rstrip()
    short = _short(diff)
    code = (Code(short),) if short else ()
    attachment = Attachment(f"{name}.diff", f"{diff}\n") if short != diff else None
    return Document((*blocks, Line("\n".join(lines)), *code, *notices), _buttons(name), attachment)


def changed_files(found: Mapping[str, Any]) -> list[str]:
    """The files of a run, one line each, with what happened to them."""
    lines: list[str] = []
    for word, sign in _SIGNS:
        names = found["files"].get(word, ())
        lines += [f"{sign} {name}" for name in names[:_NAMES]]
        more = found["counts"].get(word, 0) - len(names[:_NAMES])
        if more > 0:
            lines.append(f"{sign} … and {more} more")
    return lines


def _short(diff: str) -> str:
    """As much of it as a message takes, in whole lines."""
    lines = diff.splitlines()[:_DIFF_LINES]
    while lines and sum(len(line) + 1 for line in lines) > _DIFF_CHARACTERS:
        lines.pop()
    short = "\n".join(lines)
    return short if short == diff else f"{short}\n…".lstrip()


def _buttons(name: str) -> tuple[Button, ...]:
    return (
        Button("🚀 Deploy", "deploy", f"/docker_deploy {name}"),
        Button("🔍 Show diff", "diff", f"/docker_diff {name}"),
        Button("🗑️ Discard", "discard", f"/agent_discard {name}"),
    )


COMMAND = Agent()
