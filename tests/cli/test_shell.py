"""What the shell's commands print where, how they end, and how soon they begin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, cast

import pytest

from scar.cli.shell_words import shell_words
from scar.redis_client import connect
from tests.support.installation import Installation
from tests.support.waiting import eventually

SLOW = ("redis", "rich", "pygments", "pathspec", "celery", "flask", "structlog", "httpx._main")


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["deploy", "--help"], 0), (["version"], 0), (["status", "shop"], 3)],
)
def test_a_command_begins_without_what_is_slow_to_import(words: list[str], code: int) -> None:
    program = (
        "import sys\nimport scar.cli\ntry:\n    scar.cli.main()\n"
        f"finally:\n    print([m for m in {SLOW} if sys.modules.get(m)], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "SCAR_API_URL": "http://127.0.0.1:1", "SCAR_API_TOKEN": "no-such-token"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("word", ["lock", "unlock", "audit", "projects", "reload", "version"])
def test_every_chat_command_is_also_a_shell_command(word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scar.cli", word, "--help"], capture_output=True, check=False
    )
    assert done.returncode == 0


def test_the_help_of_a_command_has_examples() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scar.cli", "logs", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Examples:\n    scar logs\n    scar logs 20\n    scar logs shop 100" in done.stdout


@pytest.mark.parametrize(
    ("chat", "shell"),
    [
        ("Usage: /docker_logs [project]", "Usage: scar logs [project]"),
        ("🚀 Deploy: /docker_deploy shop", "🚀 Deploy: scar deploy shop"),
        ("See /jobs.", "See scar jobs."),
        (
            "ada, 3s ago, /job_01JZ0000000000000000000000",
            "ada, 3s ago, scar job 01JZ0000000000000000000000",
        ),
        ("refused until /docker_unlock shop.", "refused until scar unlock shop."),
        ("💡 Production: /srv/jobs", "💡 Production: /srv/jobs"),
        ("GET /api/v1/jobs lists", "GET /api/v1/jobs lists"),
        ("/jobs/shop is no folder", "/jobs/shop is no folder"),
        ("/docker_unfollow ends it.", "scar cancel ends it."),
        ("/help lists what you can do here.", "scar --help lists what you can do here."),
    ],
)
def test_messages_in_the_shell_name_shell_commands(chat: str, shell: str) -> None:
    assert shell_words(chat) == shell


def test_on_a_pipe_the_answer_is_printed_once_and_the_progress_goes_to_stderr(
    running: Installation,
) -> None:
    done = running.scar("status", "shop")
    assert done.stdout.count("📊 Shop - Production Status") == 1
    assert done.stdout.startswith("📊 Shop - Production Status")
    assert "Production Status" not in done.stderr


def test_a_hint_from_the_api_names_the_shell_command(running: Installation) -> None:
    done = running.scar("logs", "shop", "5", "6")
    assert "Usage: scar logs [project[/container]] [lines]" in done.stderr
    done = running.scar("job", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert "/jobs for" not in done.stderr


def test_lock_unlock_projects_audit_and_reload_answer_in_the_shell(running: Installation) -> None:
    locked = running.scar("lock", "shop", "moving", "house")
    assert locked.returncode == 0, locked.stderr
    assert "🔒 shop is locked: moving house" in locked.stdout
    assert "until scar unlock shop." in locked.stdout
    assert running.scar("unlock", "shop").stdout.startswith("🔓 shop is released.")
    assert "shop (default)" in running.scar("projects").stdout
    assert json.loads(running.scar("projects", "--json").stdout)[0]["name"] == "shop"
    assert "✅ Projects file read. 1 project: shop" in running.scar("reload").stdout
    assert "docker_unlock" in running.scar("audit").stdout
    assert running.scar("lock", "shop").returncode == 2


def test_project_names_are_completed(running: Installation) -> None:
    done = running.scar(_SCAR_COMPLETE="bash_complete", COMP_WORDS="scar status s", COMP_CWORD="2")
    assert done.stdout.split() == ["plain,shop"]


def test_scar_up_reports_a_port_in_use_and_does_not_retry(running: Installation) -> None:
    second = running.scar("api", SCAR_STATE_DIR=str(running.folder / "other"))
    assert second.returncode == os.EX_CONFIG
    assert "another program listens there already" in second.stderr
    assert "Traceback" not in second.stderr


def test_scar_up_prints_which_parts_it_starts(running: Installation) -> None:
    eventually(lambda: "is ready: http" in running.log, "it says that it is ready")
    assert "starts for host 'default'" in running.log
    assert "projects: shop" in running.log


def test_the_trail_is_verified_and_the_keys_are_shown_added_and_retired(
    running: Installation,
) -> None:
    assert running.scar("lock", "shop", "for", "a", "line").returncode == 0
    assert running.scar("unlock", "shop").returncode == 0
    whole = running.scar("audit", "verify")
    assert (whole.returncode, whole.stdout) == (0, "The audit trail is whole.\n")
    redis = connect(running.redis_url)
    first = cast("list[Any]", redis.xrange("scar:audit", count=1))[0][0]
    redis.xdel("scar:audit", first)
    broken = running.scar("audit", "verify")
    assert broken.returncode == 1
    assert "tampered with: lines before number 2 were removed" in broken.stderr
    shown = running.scar("keys").stdout
    assert all(part in shown for part in ("api", "console", "telegram", "worker:default"))
    new = running.scar("keys", "add", "telegram").stdout.split()
    assert new[1] == "telegram"
    assert running.scar("keys").stdout.count(" telegram ") == 2
    assert "retired" in running.scar("keys", "retire", new[0]).stdout
    added = running.scar("keys", "add", "worker:far", new[2])
    assert added.stdout.split()[1] == "worker:far"
