"""`/commands`: the chat's commands that are answered at once, without a job."""

from __future__ import annotations

from flask import Response

from scar.api.auth import actor
from scar.api.context import context
from scar.api.resource import Resource, answer
from scar.api.schemas.commands import AnsweredSchema, WordsSchema
from scar.commands.local_command import LocalCommand
from scar.errors import ScarError, nearest
from scar.json_object import JsonObject

resource = Resource("commands", __name__, description="Commands that are answered without a job")
_WORD = [{"in": "path", "name": "word", "schema": {"type": "string"}}]


@resource.route("/commands/<word>", methods=["POST"], parameters=_WORD)
@resource.arguments(WordsSchema)
@resource.response(200, AnsweredSchema)
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(403, response="FORBIDDEN")
@resource.alt_response(404, response="NOT_FOUND")
@resource.alt_response(409, response="CONFLICT")
def say(body: JsonObject, word: str) -> Response:
    """Say a command such as `docker_lock` with its words, as in a chat"""
    services = context().services
    command = _command(word)
    try:
        reply = command.reply(actor(), body["words"], services.command_context)
    except ScarError as error:
        services.audit.write_refusal(actor(), command.word, f"refused: {error.code}")
        raise
    services.audit.write(actor(), command.word, "answered")
    return answer({"text": reply.text})


def _command(word: str) -> LocalCommand:
    commands = {c.word: c for c in context().services.command_context.commands()}
    command = commands.get(word)
    if isinstance(command, LocalCommand):
        return command
    known = [name for name, other in commands.items() if isinstance(other, LocalCommand)]
    hint = f"{nearest(word, known)} Known are: {', '.join(known)}.".strip()
    raise ScarError("not_found", f"There is no command '{word[:64]}' without a job", hint)
