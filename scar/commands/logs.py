"""`/docker_logs`: the last log lines of a container, stdout and stderr, with timestamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scar.commands.container_argument import container_argument
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import without_result
from scar.document import Attachment, Code, Document, Line
from scar.jobs.record import Job
from scar.jobs.results.logs import LogTail
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile

DEFAULT_LINES = 50
MOST_LINES = 5000
_MOST_CHARACTERS = 3500
_MOST_CHARACTERS_BESIDE_FILE = 1500
_LONGEST_LINE = 300


class LogsCommand(JobCommand):
    """Shows log lines of the primary container, or of the container named after the project."""

    word = "docker_logs"
    kind = "logs"
    usage = "[project[/container]] [lines]"
    summary = "the last log lines"
    rank = 11

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse the words, such as `shop/web 100`, `100 shop`, `20` or none."""
        if len(words) > 2:
            raise self.misuse(f"/{self.word} takes a project and a number, not {len(words)} words")
        numbers = [word for word in words if _looks_like_number(word)]
        names = [word for word in words if not _looks_like_number(word)]
        if len(numbers) > 1 or len(names) > 1:
            raise self.misuse("A project and a number of lines, once each")
        name, _, container = names[0].partition("/") if names else ("", "", "")
        args = {
            "lines": self._lines(numbers[0]) if numbers else DEFAULT_LINES,
            **container_argument(self, {"container": container or None}),
        }
        return Invocation(projects.get(name) if name else default(), args)

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return the checked arguments: `lines` (1 to 5000, default 50) and, if given,
        `container`.
        """
        self.require_only(raw, "lines", "container")
        lines = raw.get("lines", DEFAULT_LINES)
        if isinstance(lines, bool) or not isinstance(lines, int):
            raise self.misuse(f"'lines' is a whole number from 1 to {MOST_LINES}")
        return {"lines": self._lines(str(lines)), **container_argument(self, raw)}

    def _lines(self, text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1
        if not 1 <= number <= MOST_LINES:
            raise self.misuse(f"Lines are a whole number from 1 to {MOST_LINES}, not {text[:20]}")
        return number

    def view(self, job: Job) -> Document:
        """Return the lines; if there are too many for a message, attach them as a file."""
        if pending := without_result(job, "📜 Reading logs...", "Logs failed"):
            return pending
        tail = job.read_result(LogTail)
        heading = Line(f"📜 {tail.container} - Last {job.request.args['lines']} lines")
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


def _looks_like_number(word: str) -> bool:
    return word.lstrip("+-").isdigit()


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
