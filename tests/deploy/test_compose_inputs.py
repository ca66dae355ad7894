"""Files that Compose reads besides the Compose file: the plan and the build know the new ones."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.compose_project import run_docker
from tests.support.deploy_scene import COMPOSE, DOCKERFILE, DeployScene

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


def restarted(scene: DeployScene) -> tuple[list[str], list[str]]:
    """What the next deploy shows, and what it does."""
    job = scene.ask("deploy", confirm=False)
    plan = scene.planned(job)
    scene.answer(job, "yes")
    job = scene.end_of(job)
    assert job.state == "succeeded", job.error
    assert job.result is not None
    again = scene.do("deploy")
    assert again.result is not None
    assert again.result["nothing"] is True
    return plan["restart"], job.result.get("restarted", [])


def test_a_changed_dotenv_of_the_workspace_takes_effect(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    scene.write(
        **{
            ".env": "WORD=one\n",
            "Dockerfile": "FROM IMAGE\nARG WORD\nRUN mkdir /www && echo $WORD > /www/index.html\n"
            + DOCKERFILE.splitlines()[-1],
            "compose.yaml": COMPOSE.replace("build: .", "build: {context: ., args: [WORD]}"),
        }
    )
    assert scene.do("deploy").state == "succeeded"
    assert scene.site() == "one"
    scene.write(**{".env": "WORD=two\n"})
    assert restarted(scene) == (["web"], ["web"])
    assert scene.site() == "two"


def test_a_changed_env_file_takes_effect(open_scene: Callable[..., DeployScene]) -> None:
    scene = open_scene()
    text = COMPOSE + "    env_file: side.env\n"
    scene.write(**IGNORE, **{"compose.yaml": text, "side.env": "A=1\n"})
    assert scene.do("deploy").state == "succeeded"
    scene.write(**{"side.env": "A=2\n"})
    assert restarted(scene) == (["side"], ["side"])
    side = next(name for name in scene.images() if "side" in name)
    assert "A=2" in run_docker("exec", side.lstrip("/"), "env")


def test_a_deploy_works_with_an_env_file_that_only_production_has(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene(exclude=["secret.env"])
    scene.production.mkdir(parents=True)
    (scene.production / "secret.env").write_text("A=1\n")
    scene.write(**{"compose.yaml": COMPOSE + "    env_file: secret.env\n"})
    assert scene.do("deploy").state == "succeeded"
    scene.write(page="two")
    assert restarted(scene) == (["web"], ["web"])
    assert scene.site() == "two"


def test_a_new_service_in_an_included_file_is_built_and_started(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    text = "include: [more/side.yaml]\n" + WITH_SIDE_IN
    scene.write(**IGNORE, **{"compose.yaml": text, "more/side.yaml": SIDE})
    assert scene.do("deploy").state == "succeeded"
    scene.write(
        **{
            "more/side.yaml": SIDE + "  extra: {build: ., stop_signal: KILL}\n",
            "more/Dockerfile": 'FROM IMAGE\nCMD ["sleep", "99"]\n',
        }
    )
    assert restarted(scene) == (["extra"], ["extra"])


def test_a_profile_enabled_in_dotenv_is_started(open_scene: Callable[..., DeployScene]) -> None:
    scene = open_scene()
    profiled = COMPOSE.replace("    build: .", "    build: .\n    profiles: [site]")
    scene.write(**{".env": "COMPOSE_PROFILES=site\n", "compose.yaml": profiled})
    assert scene.do("deploy").state == "succeeded"
    assert scene.site() == "one"
    scene.write(page="two")
    assert restarted(scene) == (["web"], ["web"])
    assert scene.site() == "two"


def test_a_changed_secret_restarts_the_services_that_use_it(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    text = COMPOSE + "    secrets: [word]\nsecrets: {word: {file: ./word}}\n"
    scene.write(**IGNORE, **{"compose.yaml": text, "word": "one"})
    assert scene.do("deploy").state == "succeeded"
    scene.write(word="two")
    assert restarted(scene) == (["side"], ["side"])
    side = next(name for name in scene.images() if "side" in name)
    assert run_docker("exec", side.lstrip("/"), "cat", "/run/secrets/word") == "two"
