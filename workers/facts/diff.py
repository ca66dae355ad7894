"""The handler of `diff`, which plans a deploy and returns the plan as its result."""

from __future__ import annotations

import re

import structlog

from scar.errors import ScarError
from scar.jobs.results.diff import DiffResult
from workers.agent.difference import reader_of, text_difference
from workers.deployment.deploy_plan import plan_deploy
from workers.deployment.plan import Plan, describe
from workers.files.failures import shown
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob

_MOST_LEFT_OUT = 200
# Files whose every line is a secret: masking line by line could miss one.
_SECRET_FILE = re.compile(r"(?:^|/)(?:\.env(?:\..*)?|id_[a-z0-9]+|.*\.(?:pem|key|p12|pfx))$", re.I)
_log = structlog.get_logger(__name__)


class Diff(ReadJob[DiffResult]):
    """The plan of a deploy, without the deploy, and the lines that differ."""

    kind = "diff"

    def answer(self, context: JobContext) -> DiffResult:
        """Return what the question of a deploy shows, and the changes as text."""
        plan = plan_deploy(context)
        lines, left_out = _lines(context, plan)
        names = tuple(shown(path) for path in left_out[:_MOST_LEFT_OUT])
        described = vars(describe(plan, context))
        return DiffResult(**described, lines=context.masker.text(lines), not_in_lines=names)


def _lines(context: JobContext, plan: Plan) -> tuple[str, list[str]]:
    changes = plan.changes
    secret = [path for path in changes.after if _SECRET_FILE.search(path)]
    after = {path: entry for path, entry in changes.after.items() if path not in secret}
    project = context.project
    readers = reader_of(str(project.production)), reader_of(str(project.workspace))
    try:
        text, left_out = text_difference(changes.before, after, *readers)
    except (OSError, ScarError) as error:
        # Somebody is changing files now; the list of files is returned all the same.
        _log.warning("no diff", job=context.request.id, reason=str(error))
        return "", []
    return text, [*secret, *left_out]


HANDLER = Diff()
