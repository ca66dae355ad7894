"""A front-end from another package is complete: nothing in SCAR itself names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar.registration.registry import front_ends
from tests.support.installation import Installation
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ENTRY_POINT = "letterbox = tests.support.letterbox_package:FRONTEND"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A SCAR in whose environment the letter box is installed."""
    folder = tmp_path_factory.mktemp("installed")
    metadata = folder / "site" / "letterbox-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: letterbox\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[scar.frontends]\n{ENTRY_POINT}\n")
    (folder / "box").mkdir()
    home = Installation(
        folder,
        PYTHONPATH=f"{folder / 'site'}:{ROOT}",
        SCAR_LETTERBOX_FOLDER=str(folder / "box"),
        SCAR_LETTERBOX_USERS="ada:operator",
    )
    home.project("shop", "web")
    entries = json.loads(home.projects_file.read_text())
    entries["shop"] |= {"roles": {"viewer": ["letterbox:bob"]}, "alerts": ["letterbox:box"]}
    home.projects_file.write_text(json.dumps(entries))
    home.up()
    yield home
    home.down()


def write(home: Installation, person: str, text: str) -> None:
    (home.folder / "box" / "1.draft").write_text(f"{person}\n{text}")
    (home.folder / "box" / "1.draft").rename(home.folder / "box" / "1.letter")


def wait_for_sheet(home: Installation, words: str) -> str:
    def look() -> str | None:
        sheets = (sheet.read_text() for sheet in (home.folder / "box").glob("*.sheet"))
        return next((text for text in sheets if words in text), None)

    return eventually(look, f"a sheet says {words!r}", 60) or ""


def test_the_front_ends_of_scar_are_registered_the_same_way() -> None:
    assert {spec.name for spec in front_ends()} >= {"console", "github", "outbound", "telegram"}
    assert {spec.shell_command for spec in front_ends()} == {
        "chat",
        "github",
        "outbound",
        "telegram",
    }


def test_a_registered_front_end_has_a_shell_command(home: Installation) -> None:
    lines = [line.split() for line in home.scar("--help").stdout.splitlines()]
    assert ["letterbox", "A", "letter", "box."] in lines
    assert "A letter box." in home.scar("letterbox", "--help").stdout


def test_scar_up_starts_a_registered_front_end(home: Installation) -> None:
    assert f"letterbox letters in {home.folder / 'box'} (pid " in home.log


def test_users_of_a_front_end_get_roles_from_its_settings_and_the_projects_file(
    home: Installation,
) -> None:
    write(home, "ada", "/docker_status")
    assert "Workspace: " in wait_for_sheet(home, "📊 Shop - Production Status")
    write(home, "bob", "/docker_restart")
    wait_for_sheet(home, "You are a viewer here; a restart needs an operator.")
    write(home, "eve", "/help")
    wait_for_sheet(home, "An admin can add eve:viewer to SCAR_LETTERBOX_USERS.")


def test_a_mistake_in_a_front_ends_settings_is_reported_like_any_other(home: Installation) -> None:
    done = home.scar("jobs", SCAR_LETTERBOX_FOLDER="box", SCAR_HOST="No Name")
    assert done.returncode == 78
    assert "SCAR_LETTERBOX_FOLDER: is not an absolute path" in done.stderr
    assert "SCAR_HOST: is not a name" in done.stderr


def test_scar_doctor_runs_the_check_of_a_registered_front_end(home: Installation) -> None:
    done = home.scar("doctor", SCAR_LETTERBOX_FOLDER="/nowhere")
    assert "❌ letterbox: /nowhere is no folder\n   💡 Make it." in done.stdout
