"""Limits how often one actor may ask, and how often one address may send a wrong token."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from http import HTTPStatus

from flask import Response

from scar.access import Actor
from scar.access.rate_limit import Excess, Rate, RateLimit
from scar.api.errors import problem

OF_ACTOR = Rate(per_minute=1200, burst=2000)
OF_WRONG_TOKENS = Rate(per_minute=10, burst=20)


@dataclass(frozen=True)
class RequestLimits:
    """The requests of each actor, and the wrong tokens of each address. Wrong tokens never block a
    right one: behind a proxy, people share an address with an attacker who guesses.
    """

    actors: RateLimit = field(default_factory=lambda: RateLimit(OF_ACTOR))
    wrong_tokens: RateLimit = field(default_factory=lambda: RateLimit(OF_WRONG_TOKENS))

    def of_actor(self, actor: Actor) -> Response | None:
        """Respond 429 if the actor makes too many requests. A front-end itself has no limit, since
        it reads every open job of its people.
        """
        excess = None if actor.frontend == "service" else self.actors.take(actor.key)
        return _too_many(excess, f"{actor.name} asks too often") if excess else None

    def of_wrong_token(self, address: str) -> Response | None:
        """Respond 429 if the address has sent too many wrong tokens."""
        excess = self.wrong_tokens.take(address)
        what = "Too many wrong tokens came from this address"
        return _too_many(excess, what) if excess else None


def _too_many(excess: Excess, what: str) -> Response:
    seconds = math.ceil(excess.seconds)
    answer = problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_requests",
        what,
        f"Ask again in {seconds} s, and then more slowly.",
    )
    answer.headers["Retry-After"] = str(seconds)
    return answer
