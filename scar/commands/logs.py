"""`/docker_logs`: the last log lines of a container, stdout and stderr, with timestamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marshmallow import validate

from scar.commands.arguments import (
    NoArguments,
    WholeNumber,
    container_field,
    grep_field,
    options_among,
)
from scar.commands.container_argument import container_meant
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import without_result
from scar.document import Attachment, Code, Document, Line
from scar.jobs.record import Job
from scar.jobs.results.logs import LogTail
from scar.projects import Project, ProjectsFile

DEFAULT_LINES = 50
MOST_LINES = 5000
_MOST_CHARACTERS = 3500
_MOST_CHARACTERS_BESIDE_FILE = 1500
_LONGEST_LINE = 300


class LogsArguments(NoArguments):
    """The number of lines and the container (by default the primary one). With `grep`, only lines
    that contain its words.
    """

    lines = WholeNumber(
        load_default=DEFAULT_LINES,
        validate=validate.Range(1, MOST_LINES, error=f"is not from 1 to {MOST_LINES}"),
    )
    container = container_field()
    grep = grep_field()


class LogsCommand(JobCommand):
    """Shows log lines of the primary container, or of the container named after the project."""

    word = "docker_logs"
    kind = "logs"
    schema = LogsArguments
    usage = "[project[/container]] [lines] [grep WORDS]"
    summary = "the last log lines"
    examples = ("", "20", "shop 100", "shop/shop-db-1 500")
    rank = 11

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse the words, such as `shop/web 100`, `100 shop`, `20` or none."""
        words, options = options_among(words, ("grep",))
        if len(words) > 2:
            raise self.misuse(f"/{self.word} takes a project and a number, not {len(words)} words")
        numbers = [word for word in words if _looks_like_number(word)]
        names = [word for word in words if not _looks_like_number(word)]
        if len(numbers) > 1 or len(names) > 1:
            raise self.misuse("A project and a number of lines, once each")
        project, container = container_meant(names[0] if names else "", projects, default)
        of = {"container": container} if container else {}
        args = {**_number(numbers), **of, **options}
        return Invocation(project, self.arguments(args))

    def view(self, job: Job) -> Document:
        """Return the lines; if there are too many for a message, attach them as a file."""
        if pending := without_result(job, "📜 Reading logs...", "Logs failed"):
            return pending
        tail = job.read_result(LogTail)
        grep = job.request.args.get("grep")
        with_words = f" with {grep}" if grep else ""
        count = job.request.args["lines"]
        heading = Line(f"📜 {tail.container} - Last {count} lines{with_words}")
        notices = [Line(f"⚠️ {notice}") for notice in tail.notices]
        text = "\n".join(tail.lines)
        if not text:
            return Document((heading, Line("(no log lines)"), *notices))
        if len(text) <= _MOST_CHARACTERS:
            return Document((heading, *notices, Code(text)))
        name = f"{tail.container}-{job.id[-6:].lower()}.log"
        rest = Line("The whole is in the file; these are its last lines:")
        return Document(
            (heading, *notices, rest, Code(_last(tail.lines))),
            attachment=Attachment(name, text + "\n"),
        )


def _number(words: Sequence[str]) -> dict[str, int]:
    """Parse the number of lines; the largest number stands for one with too many digits, which is
    out of range in any case.
    """
    return {"lines": int(words[0][:10])} if words else {}


def _looks_like_number(word: str) -> bool:
    return word.isascii() and word.lstrip("+-").isdigit()


def _last(lines: Sequence[str]) -> str:
    """Return the last lines to show above the attached file: as many as fit, at least one, long
    lines cut.
    """
    room = _MOST_CHARACTERS_BESIDE_FILE
    newest_first: list[str] = []
    for line in reversed(lines):
        shown = line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…"
        room -= len(shown) + 1
        if room < 0 and newest_first:
            break
        newest_first.append(shown)
    return "\n".join(reversed(newest_first))


COMMAND = LogsCommand()
