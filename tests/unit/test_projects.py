from __future__ import annotations

import json
import pwd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.projects import Project, ProjectsFile
from scar.projects.parser import parse_projects
from scar.role import Role

EXAMPLE = """
{
  "project-orchestrator": {
    "workspace": "/workspace/project-orchestrator",
    "production": "/home/samuel/po",
    "compose_project": "po",
    "containers": ["backend", "po-postgres-1", "po-redis-1"],
    "primary_container": "backend"
  },
  "health-agent": {
    "workspace": "/workspace/health-agent",
    "production": "/home/samuel/odin-health",
    "compose_project": "odin-health",
    "containers": ["odin-health-agent", "odin-health-postgres"],
    "primary_container": "odin-health-agent"
  }
}
"""
EXAMPLE_AUTO_DETECT = """
{
  "new-project": {
    "workspace": "/workspace/new-project",
    "production": "/home/samuel/new-project",
    "compose_project": "new-project",
    "auto_detect": true
  }
}
"""
EXAMPLE_ENVIRONMENTS = """
{
  "app-dev": {
    "workspace": "/workspace/app",
    "production": "/home/samuel/app-dev",
    "compose_project": "app-dev",
    "containers": ["app-dev"]
  },
  "app-prod": {
    "workspace": "/workspace/app",
    "production": "/home/samuel/app-prod",
    "compose_project": "app-prod",
    "containers": ["app-prod"]
  }
}
"""
EVERYTHING: dict[str, Any] = {
    "workspace": "/w/shop/",
    "production": "/srv/shop",
    "compose_project": "shop-live",
    "containers": ["db", "Web_1.x"],
    "primary_container": "Web_1.x",
    "auto_detect": False,
    "host": "nas",
    "exclude": ["node_modules/", "!keep", "*.log"],
    "health_timeout": 30,
    "keep_releases": 9,
    "auto_deploy": {"branch": "release/1.x"},
    "alerts": ["telegram:-100123/7", "telegram:42"],
    "roles": {"operator": ["telegram:67890", "github:octocat"], "admin": ["api:ci"]},
    "protected": ["db"],
    "agent": "claude -p 'do it'",
    "remote_includes": True,
    "zero_downtime": ["web"],
    "bake": "undo",
}
MINIMAL = {"workspace": "/w/shop", "production": "/srv/shop", "containers": ["web"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "projects.json"


def problem_with(path: Path, content: str | bytes) -> str:
    """Return the problem of a projects file with this content, without the file's name."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    problem = ProjectsFile(path).problem
    assert problem is not None
    assert problem.code == "project_invalid"
    assert problem.message.startswith("Projects file not loaded")
    assert str(path) in problem.hint
    said = problem.message.removeprefix("Projects file not loaded")
    return said.removesuffix("There is no project.").strip(",:. \n")


def with_fields(**changed: Any) -> str:
    return json.dumps({"shop": {**MINIMAL, **changed}})


def test_the_readmes_example_loads_unchanged(path: Path) -> None:
    path.write_text(EXAMPLE)
    file = ProjectsFile(path)
    assert file.problem is None
    assert file.names() == ["project-orchestrator", "health-agent"]
    assert file.get("project-orchestrator") == Project(
        name="project-orchestrator",
        workspace=Path("/workspace/project-orchestrator"),
        production=Path("/home/samuel/po"),
        compose_project="po",
        containers=("backend", "po-postgres-1", "po-redis-1"),
        primary_container="backend",
    )


def test_auto_detect_and_several_environments_load(path: Path) -> None:
    path.write_text(EXAMPLE_AUTO_DETECT)
    file = ProjectsFile(path)
    assert file.get("new-project").auto_detect
    assert file.get("new-project").primary_container is None
    path.write_text(EXAMPLE_ENVIRONMENTS)
    assert file.names() == ["app-dev", "app-prod"]
    assert file.get("app-prod").primary_container == "app-prod"


def test_fields_that_are_absent_have_their_defaults(path: Path) -> None:
    path.write_text(json.dumps({"shop": MINIMAL}))
    assert ProjectsFile(path).get("shop") == Project(
        name="shop",
        workspace=Path("/w/shop"),
        production=Path("/srv/shop"),
        compose_project="shop",
        containers=("web",),
        primary_container="web",
        auto_detect=False,
        host="default",
        exclude=(),
        health_timeout=120,
        keep_releases=5,
        auto_deploy_branch=None,
        alerts=(),
        roles={},
        protected=(),
        agent=None,
        remote_includes=False,
        zero_downtime=None,
        bake=None,
    )


def test_every_field_is_read_and_equal_after_a_round_trip_through_json(path: Path) -> None:
    path.write_text(json.dumps({"shop": EVERYTHING}))
    project = ProjectsFile(path).get("shop")
    assert project.workspace == Path("/w/shop")
    assert project.auto_deploy_branch == "release/1.x"
    assert project.roles == {
        Role.OPERATOR: ("telegram:67890", "github:octocat"),
        Role.ADMIN: ("api:ci",),
    }
    shown = project.to_json()
    assert shown == {**EVERYTHING, "name": "shop", "workspace": "/w/shop"}
    assert Project.from_json(json.loads(json.dumps(shown))) == project


def test_a_project_as_the_api_shows_it_can_be_pasted_into_the_file(path: Path) -> None:
    path.write_text(EXAMPLE)
    shown = {name: dict(project.to_json()) for name, project in ProjectsFile(path).projects.items()}
    for entry in shown.values():
        del entry["name"]
    path.write_text(json.dumps(shown))
    assert ProjectsFile(path).problem is None


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("workspace", None, "null"),
        ("workspace", 5, "not a valid string"),
        ("workspace", "w/shop", "not an absolute path"),
        ("workspace", "~/shop", "not an absolute path"),
        ("workspace", "", "empty"),
        ("workspace", "/w/shop\n", "cannot be seen"),
        ("workspace", "/w/\ud800", "cannot be seen"),
        ("workspace", "/w/../x", "'..'"),
        ("workspace", "/" + "w" * 5000, "too long"),
        ("workspace", "/srv/shop/src", "inside the production folder"),
        ("workspace", "/", "inside the workspace"),
        ("production", "/w/shop", "the workspace as well"),
        ("production", "//w//shop/", "the workspace as well"),
        ("production", "/w/shop/live", "inside the workspace"),
        ("production", "/srv/../etc", "'..'"),
        ("production", "/", "root of the file system"),
        ("production", "///", "root of the file system"),
        ("production", "/home", "system folder"),
        ("production", "/home/samuel", "home folder"),
        ("production", "/home/samuel/", "home folder"),
        ("production", "/root", "home folder"),
        ("production", "/etc", "system folder"),
        ("production", "/etc/shop", "system folder"),
        ("production", "/usr/lib/shop", "system folder"),
        ("production", "/proc/self", "system folder"),
        ("production", "/var", "system folder"),
        ("production", "/var/lib", "system folder"),
        ("production", "/var/lib/docker/volumes/x", "system folder"),
        ("production", "/var/run/x", "system folder"),
        ("production", "/opt", "system folder"),
        ("production", "/tmp", "system folder"),
        ("compose_project", "Shop", "Compose project's name"),
        ("compose_project", "-H", "Compose project's name"),
        ("containers", "web", "not a valid list"),
        ("containers", [], "auto_detect"),
        ("containers", ["web", "web"], "twice"),
        ("containers", ["web", 5], "not a valid string"),
        ("containers", ["--help"], "container's name"),
        ("containers", ["a b"], "container's name"),
        ("primary_container", "webb", "not among the containers web. Did you mean 'web'?"),
        ("auto_detect", "yes", "not true or false"),
        ("auto_detect", 1, "not true or false"),
        ("host", "../x", "host's name"),
        ("exclude", "*.log", "not a valid list"),
        ("exclude", ["a\nb"], "cannot be seen"),
        ("exclude", ["!"], "gitignore pattern"),
        ("exclude", ["**/a/**/a/**/a/**/a"], "more than 3"),
        ("exclude", ["*a*a*a*a"], "more than 3"),
        ("health_timeout", 0, "greater than or equal to 1"),
        ("health_timeout", -5, "greater than or equal to 1"),
        ("health_timeout", 10**30, "less than or equal to"),
        ("health_timeout", "30", "not a valid integer"),
        ("health_timeout", True, "not a valid integer"),
        ("health_timeout", 1e400, "no JSON number"),
        ("keep_releases", 0, "greater than or equal to 1"),
        ("auto_deploy", "main", "invalid input type"),
        ("auto_deploy", {}, "is missing"),
        ("auto_deploy", {"branch": "a..b"}, "branch's name"),
        ("auto_deploy", {"branch": "--upload-pack=x"}, "branch's name"),
        ("auto_deploy", {"brnch": "main"}, "Did you mean 'branch'?"),
        ("alerts", ["telegram:abc"], "is not a chat"),
        ("alerts", ["mail:x@y"], "is not a chat"),
        ("roles", {"owner": []}, "unknown field"),
        ("roles", {"operatr": []}, "Did you mean 'operator'?"),
        ("roles", {"viewer": ["67890"]}, "is not a person"),
        ("protected", "db", "not a valid list"),
        ("bake", "yes", "is not undo or off"),
        ("agent", "", "empty"),
        ("agent", "a\x00b", "cannot be seen"),
        ("primary_contaner", "web", "unknown field. Did you mean 'primary_container'?"),
        ("zzz", 1, "Known are: workspace, production"),
    ],
)
def test_an_invalid_value_is_reported_with_its_project_and_field(
    path: Path, field: str, value: Any, expected: str
) -> None:
    message = problem_with(path, with_fields(**{field: value}))
    assert expected in message
    assert message.replace("\n", "").isprintable()
    assert len(message) < 500
    if "Infinity" not in with_fields(**{field: value}):
        assert message.startswith("'shop': ")
        assert field in message or field == "workspace"


@pytest.mark.parametrize("field", ["workspace", "production", "containers"])
def test_a_missing_field_is_reported(path: Path, field: str) -> None:
    entry = {name: value for name, value in MINIMAL.items() if name != field}
    assert problem_with(path, json.dumps({"shop": entry})).startswith(
        f"'shop': {field}: is missing"
    )


@pytest.mark.parametrize(
    "folder", ["/srv/x", "/opt/x", "/var/lib/x/y", "/root/x", "/home/u/x", "/tmp/x", "/data"]
)
def test_a_folder_below_a_home_or_a_shared_system_folder_is_accepted(
    path: Path, folder: str
) -> None:
    path.write_text(with_fields(production=folder))
    assert ProjectsFile(path).problem is None


def test_every_users_home_folder_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = pwd.struct_passwd(("u", "x", 1000, 1000, "", "/data/people/u", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [user])
    assert "home folder" in problem_with(path, with_fields(production="/data/people/u"))


def test_symbolic_links_are_followed_before_folders_are_checked(path: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    (tmp_path / "work").mkdir()
    (tmp_path / "same").symlink_to(tmp_path / "work")
    assert "is /etc/x, which is in" in problem_with(
        path, with_fields(production=f"{tmp_path}/etc/x")
    )
    message = problem_with(
        path, with_fields(workspace=f"{tmp_path}/work", production=f"{tmp_path}/same")
    )
    assert "the workspace as well" in message


@pytest.mark.parametrize(
    "name", ["Shop", "", "-h", "../x", "a b", "a\nb", "шоп", "x" * 65, "20", ".a", "shop\u202e"]
)
def test_an_invalid_project_name_is_refused(path: Path, name: str) -> None:
    message = problem_with(path, json.dumps({name: MINIMAL}))
    assert "is not a project's name" in message or "taken for a number" in message
    assert message.isprintable()


def test_a_name_with_a_dot_needs_a_compose_project(path: Path) -> None:
    assert "compose_project: is missing" in problem_with(path, json.dumps({"a.b": MINIMAL}))
    path.write_text(json.dumps({"a.b": {**MINIMAL, "compose_project": "ab"}}))
    assert ProjectsFile(path).names() == ["a.b"]


def test_two_projects_do_not_share_a_production_or_a_compose_project(path: Path) -> None:
    other = {**MINIMAL, "workspace": "/w/other", "compose_project": "other"}
    message = problem_with(path, json.dumps({"shop": MINIMAL, "other": other}))
    assert message == "'other': production: is that of 'shop' as well"
    other = {**other, "production": "/srv/other", "compose_project": "shop"}
    message = problem_with(path, json.dumps({"shop": MINIMAL, "other": other}))
    assert message == "'other': compose_project: is that of 'shop' as well"
    path.write_text(
        json.dumps(
            {"shop": MINIMAL, "other": {**MINIMAL, "compose_project": "shop", "host": "nas"}}
        )
    )
    assert ProjectsFile(path).problem is None


def test_no_project_may_use_the_state_folder(path: Path) -> None:
    for state, folder in (("/srv/shop/state", "production"), ("/w", "workspace")):
        path.write_text(with_fields())
        problem = ProjectsFile(path, Path(state)).problem
        assert problem is not None
        assert f"'shop': {folder}: is SCAR's own folder" in problem.message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "line 1 column 1: a value is missing"),
        ('{"shop": {\n  "workspace": "/w",\n}', "line 3 column 1:"),
        ('{"shop": {}} // why', "line 1 column 14: the file should have ended"),
        ("[]", "has to be a JSON object"),
        ("null", "has to be a JSON object"),
        ('{"shop": []}', "'shop': has to be a JSON object"),
        ('{"shop": {}, "shop": {}}', "'shop': is there twice"),
        (with_fields()[:-2] + ', "host": "a", "host": "b"}}', "'shop': host: is there twice"),
        ('{"shop": {"health_timeout": NaN}}', "no JSON number"),
        ('{"shop": {"health_timeout": ' + "9" * 5000 + "}}", "no JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"shop": {"roles": ' + '{"a":' * 400 + "1" + "}" * 402, "roles.a: unknown field"),
        (EXAMPLE.encode("utf-16"), "not UTF-8 text (byte 0)"),
        (b'{"\xff": 1}', "not UTF-8 text (byte 2)"),
        (b" " * 10_000_000, "larger than 1024 KiB"),
    ],
)
def test_a_syntax_error_in_the_projects_file_is_reported_with_its_position(
    path: Path, content: str | bytes, expected: str
) -> None:
    assert expected in problem_with(path, content)


def test_every_problem_is_listed(path: Path) -> None:
    entries = {"Shop": MINIMAL, "blog": {"production": "/etc", "containers": "x", "hst": 1}}
    assert problem_with(path, json.dumps(entries)).splitlines() == [
        "'Shop': is not a project's name: [a-z0-9][a-z0-9._-]*, at most 64 long",
        "'blog': workspace: is missing",
        "'blog': containers: not a valid list",
        "'blog': hst: unknown field. Did you mean 'host'?",
        "'blog': production: '/etc' is in the system folder /etc",
    ]
    many = {f"P{number}": MINIMAL for number in range(100)}
    lines = problem_with(path, json.dumps(many)).splitlines()
    assert (len(lines), lines[-1]) == (21, "and 80 more")


def test_with_auto_detect_unlisted_containers_may_be_primary_or_protected(path: Path) -> None:
    path.write_text(
        with_fields(auto_detect=True, containers=["db"], primary_container="web", protected=["x"])
    )
    project = ProjectsFile(path).get("shop")
    assert (project.containers, project.primary_container) == (("db",), "web")


def test_a_byte_order_mark_is_accepted(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    assert ProjectsFile(path).problem is None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["shop", "blog"]) | st.text(),
        st.fixed_dictionaries({}, optional=dict.fromkeys(EVERYTHING, ANY_JSON)) | ANY_JSON,
        max_size=3,
    )
)
def test_any_json_is_either_loaded_completely_or_reported(content: dict[str, Any]) -> None:
    projects, problems = parse_projects(json.dumps(content))
    assert problems or list(projects) == list(content)
    assert all(problem.isprintable() for problem in problems)


@given(st.text())
def test_any_text_that_is_no_projects_file_is_reported(content: str) -> None:
    projects, problems = parse_projects(content)
    assert problems or (projects == {} and content.strip() == "{}")
