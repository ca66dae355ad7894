"""Who writes too fast is told once, in a chat as over the API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx

from scar.access import Actor
from scar.access.rate_limit import Rate, RateLimit
from scar.api.limits import OF_ACTOR, OF_WRONG_TOKENS, RequestLimits
from scar.bootstrap import Services
from scar.chat.admission import OF_PERSON, OF_STRANGER
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from tests.support.letterbox import LetterBox, Writer

TOO_MUCH = "That is too much at once"


@dataclass
class Scene:
    """A letter box where somebody writes, and the time there."""

    services: Services
    actor: Actor
    private: bool = True
    box: LetterBox = field(default_factory=lambda: LetterBox("telegram"))
    now: float = 0.0

    def write(self, *texts: str, tag: str | None = None) -> list[str | None]:
        """Write the texts in the same moment; return the short replies to taps."""

        async def write() -> list[str | None]:
            client = ApiClient("http://127.0.0.1:1", lambda *_: "")
            conversation = Conversation(self.box, self.services, client, clock=lambda: self.now)
            writer = Writer(conversation, self.actor, private=self.private)
            replies = [await writer.taps(text, tag) for text in texts]
            await conversation.settle()
            return replies

        return asyncio.run(write())

    def shown(self, words: str) -> int:
        return sum(words in sheet[-1].text for sheet in self.box.sheets.values())


def test_a_person_who_writes_too_fast_is_told_once(services: Services, operator: Actor) -> None:
    scene = Scene(services, operator)
    scene.write(*["/help"] * (OF_PERSON.burst + 20))
    assert scene.shown(TOO_MUCH) == 1
    assert len(scene.box.sheets) == OF_PERSON.burst + 1
    outcomes = [one.outcome for one in services.audit.recent()]
    assert outcomes.count("refused: too_many_requests") == 1


def test_a_stranger_who_writes_too_fast_is_answered_once_and_audited_a_few_times(
    services: Services,
) -> None:
    scene = Scene(services, Actor("telegram", "666", "Eve"))
    scene.write(*["/docker_status"] * 100)
    assert scene.shown("You are not known here") == OF_STRANGER.burst
    assert scene.shown(TOO_MUCH) == 1
    assert len([*services.audit.recent()]) == OF_STRANGER.burst + 1


def test_messages_between_people_do_not_count_against_the_rate_limit(
    services: Services, operator: Actor
) -> None:
    scene = Scene(services, operator, private=False)
    scene.write(*["good morning"] * 200, "/help")
    assert len(scene.box.sheets) == 1
    assert scene.shown(TOO_MUCH) == 0


def test_every_tap_gets_its_reply(services: Services, operator: Actor) -> None:
    scene = Scene(services, operator)
    replies = scene.write(*["stop"] * (OF_PERSON.burst + 2), tag="nothing")
    assert all(TOO_MUCH in str(reply) for reply in replies[-2:])
    assert not scene.box.sheets


def test_an_address_that_guesses_tokens_is_refused_and_a_right_token_is_not(api_url: str) -> None:
    with httpx.Client(base_url=f"{api_url}/api/v1", verify=False) as client:
        wrong = {"Authorization": "Bearer a-secret-that-is-wrong"}
        codes = [client.get("/jobs", headers=wrong) for _ in range(OF_WRONG_TOKENS.burst + 1)]
        assert {answer.status_code for answer in codes[:-1]} == {401}
        last = codes[-1]
        assert last.status_code == 429
        assert last.headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(last.headers["Retry-After"]) <= 6
        assert last.json()["code"] == "too_many_requests"
        right = {"Authorization": "Bearer a-secret-of-tests-1"}
        assert client.get("/jobs", headers=right).status_code == 200


def test_a_client_that_asks_too_often_is_refused_and_no_other(services: Services) -> None:
    clients = RequestLimits(actors=RateLimit(Rate(per_minute=20, burst=200), clock=lambda: 0.0))
    one, other = Actor("api", "one", "one"), Actor("api", "other", "other")
    assert not any(clients.of_actor(one) for _ in range(200)), "two hundred jobs at once pass"
    refused = clients.of_actor(one)
    assert refused is not None
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
    assert clients.of_actor(other) is None
    front_end = Actor("service", services.signatures.part, "SCAR's telegram")
    assert not any(clients.of_actor(front_end) for _ in range(500))
    assert OF_ACTOR.burst >= 200
