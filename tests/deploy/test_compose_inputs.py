"""Files that Compose reads besides the Compose file: the plan and the build know the new ones."""

from __future__ import annotations

from collections.abc import Callable

from tests.deploy.shop import COMPOSE, DOCKERFILE, Shop
from tests.engine.projects import run_docker

# The site is built from the page alone, so that nothing else that changes concerns it.
IGNORE = {".dockerignore": "*\n!page\n"}
WITH_SIDE_IN = COMPOSE.split("  side:")[0]
SIDE = """\
services:
  side:
    image: IMAGE
    command: ["sleep", "100000"]
    stop_signal: KILL
"""


def restarted(shop: Shop) -> tuple[list[str], list[str]]:
    """What the next deploy shows, and what it does."""
    job = shop.ask("deploy", confirm=False)
    plan = shop.planned(job)
    shop.answer(job, "yes")
    job = shop.end_of(job)
    assert job.state == "succeeded", job.error
    assert job.result is not None
    again = shop.do("deploy")
    assert again.result is not None
    assert again.result["nothing"] is True
    return plan["restart"], job.result.get("restarted", [])


def test_a_changed_env_that_the_workspace_brings(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.write(
        **{
            ".env": "WORD=one\n",
            "Dockerfile": "FROM IMAGE\nARG WORD\nRUN mkdir /www && echo $WORD > /www/index.html\n"
            + DOCKERFILE.splitlines()[-1],
            "compose.yaml": COMPOSE.replace("build: .", "build: {context: ., args: [WORD]}"),
        }
    )
    assert shop.do("deploy").state == "succeeded"
    assert shop.site() == "one"
    shop.write(**{".env": "WORD=two\n"})
    assert restarted(shop) == (["web"], ["web"])
    assert shop.site() == "two"


def test_a_changed_env_file(shop: Shop) -> None:
    text = COMPOSE + "    env_file: side.env\n"
    shop.write(**IGNORE, **{"compose.yaml": text, "side.env": "A=1\n"})
    assert shop.do("deploy").state == "succeeded"
    shop.write(**{"side.env": "A=2\n"})
    assert restarted(shop) == (["side"], ["side"])
    side = next(name for name in shop.images() if "side" in name)
    assert "A=2" in run_docker("exec", side.lstrip("/"), "env")


def test_an_env_file_that_only_production_has(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(exclude=["secret.env"])
    shop.production.mkdir(parents=True)
    (shop.production / "secret.env").write_text("A=1\n")
    shop.write(**{"compose.yaml": COMPOSE + "    env_file: secret.env\n"})
    assert shop.do("deploy").state == "succeeded"
    shop.write(page="two")
    assert restarted(shop) == (["web"], ["web"])
    assert shop.site() == "two"


def test_a_changed_include_with_a_new_service_to_build(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    text = "include: [more/side.yaml]\n" + WITH_SIDE_IN
    shop.write(**IGNORE, **{"compose.yaml": text, "more/side.yaml": SIDE})
    assert shop.do("deploy").state == "succeeded"
    shop.write(
        **{
            "more/side.yaml": SIDE + "  extra: {build: ., stop_signal: KILL}\n",
            "more/Dockerfile": 'FROM IMAGE\nCMD ["sleep", "99"]\n',
        }
    )
    assert restarted(shop) == (["extra"], ["extra"])


def test_a_profile_that_env_asks_for(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    profiled = COMPOSE.replace("    build: .", "    build: .\n    profiles: [site]")
    shop.write(**{".env": "COMPOSE_PROFILES=site\n", "compose.yaml": profiled})
    assert shop.do("deploy").state == "succeeded"
    assert shop.site() == "one"
    shop.write(page="two")
    assert restarted(shop) == (["web"], ["web"])
    assert shop.site() == "two"


def test_a_changed_secret_restarts_who_has_it(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    text = COMPOSE + "    secrets: [word]\nsecrets: {word: {file: ./word}}\n"
    shop.write(**IGNORE, **{"compose.yaml": text, "word": "one"})
    assert shop.do("deploy").state == "succeeded"
    shop.write(word="two")
    assert restarted(shop) == (["side"], ["side"])
    side = next(name for name in shop.images() if "side" in name)
    assert run_docker("exec", side.lstrip("/"), "cat", "/run/secrets/word") == "two"
