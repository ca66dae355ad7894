"""`/docker_logs`: the last lines of a container, both streams, with timestamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scar.commands.command import Invocation, JobCommand, failure, waiting
from scar.document import Attachment, Code, Document, Line
from scar.jobs.record import Job
from scar.projects import Project, ProjectsFile

DEFAULT_LINES = 50
MOST_LINES = 5000
_IN_A_MESSAGE = 3500


class Logs(JobCommand):
    """Lines of the primary container, or of the one named after the project."""

    word = "docker_logs"
    kind = "logs"
    usage = "[project[/container]] [lines]"
    summary = "the last log lines"
    rank = 11

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """`shop/web 100`, `100 shop`, `20` or nothing."""
        if len(words) > 2:
            raise self.misuse(f"/{self.word} takes a project and a number, not {len(words)} words")
        numbers = [word for word in words if _looks_like_number(word)]
        names = [word for word in words if not _looks_like_number(word)]
        if len(numbers) > 1 or len(names) > 1:
            raise self.misuse("A project and a number of lines, once each")
        args: dict[str, Any] = {"lines": self._lines(numbers[0]) if numbers else DEFAULT_LINES}
        name, _, container = names[0].partition("/") if names else ("", "", "")
        if container:
            args["container"] = container[:128]
        return Invocation(projects.get(name) if name else default(), args)

    def arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """`lines` (1 to 5000) and `container`."""
        for name in raw:
            if name not in ("lines", "container"):
                raise self.misuse(f"'{self.kind}' takes no argument '{str(name)[:64]}'")
        lines = raw.get("lines", DEFAULT_LINES)
        if isinstance(lines, bool) or not isinstance(lines, int):
            raise self.misuse(f"'lines' is a whole number from 1 to {MOST_LINES}")
        args: dict[str, Any] = {"lines": self._lines(str(lines))}
        container = raw.get("container")
        if container is not None:
            if not isinstance(container, str) or not container:
                raise self.misuse("'container' is a container's name")
            args["container"] = container[:128]
        return args

    def _lines(self, text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1
        if not 1 <= number <= MOST_LINES:
            raise self.misuse(f"Lines are a whole number from 1 to {MOST_LINES}, not {text[:20]}")
        return number

    def view(self, job: Job) -> Document:
        """The lines; more than a message holds come as a file."""
        if job.result is None:
            if job.state.ended:
                return failure(job, "Logs failed")
            return waiting(job) or Document.of("📜 Reading logs...")
        result = job.result
        heading = Line(f"📜 {result['container']} - Last {job.request.args['lines']} lines")
        notes = [Line(f"⚠️ {notice}") for notice in result["notices"]]
        text = "\n".join(result["lines"])
        if not text:
            return Document((heading, Line("(no log lines)"), *notes))
        if len(text) <= _IN_A_MESSAGE:
            return Document((heading, *notes, Code(text)))
        name = f"{result['container']}-{job.id[-6:].lower()}.log"
        rest = Line("The whole is in the file; these are its last lines:")
        return Document(
            (heading, *notes, rest, Code(_last(result["lines"]))),
            attachment=Attachment(name, text + "\n"),
        )


def _looks_like_number(word: str) -> bool:
    return word.lstrip("+-").isdigit()


def _last(lines: Sequence[str], room: int = 1500) -> str:
    kept: list[str] = []
    for line in reversed(lines):
        shown = line if len(line) <= 300 else line[:300] + "…"
        room -= len(shown) + 1
        if room < 0 and kept:
            break
        kept.append(shown)
    return "\n".join(reversed(kept))


COMMAND = Logs()
