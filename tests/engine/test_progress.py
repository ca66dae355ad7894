"""Parsing what Compose and BuildKit print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.errors import ScarError
from workers.engine.compose_config import compose_files
from workers.engine.compose_progress import (
    BuildOutput,
    BuildStep,
    ComposeMessage,
    ProgressParser,
    ResourceState,
)
from workers.engine.text import LineSplitter, plain

PLAIN = r"""
#1 [web internal] load build definition from Dockerfile
#1 DONE 0.0s
#6 [web base 1/2] FROM docker.io/demo/busybox:1
#6 CACHED
#8 [web base 2/2] RUN echo hello
#8 0.185 hello
#8 DONE 0.2s
#14 [web stage-2  3/12] RUN false
#14 0.151 going
#14 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1
"""


def test_plain_output_of_older_compose_versions_gives_the_same_events() -> None:
    progress = ProgressParser()
    events = [event for line in PLAIN.splitlines() for event in progress.feed(line)]
    assert events == [
        BuildStep(0, 1), BuildStep(1, 1), BuildStep(1, 2),
        BuildOutput("[web base 2/2] RUN echo hello", "hello"),
        BuildStep(2, 2), BuildStep(2, 3),
        BuildOutput("[web stage-2  3/12] RUN false", "going"),
    ]  # fmt: skip
    assert progress.failed is not None
    assert (progress.failed.service, progress.failed.step) == (
        "web",
        "[web stage-2  3/12] RUN false",
    )
    assert progress.end(succeeded=False) == []


def test_a_build_that_succeeded_has_done_all_of_its_steps() -> None:
    progress = ProgressParser()
    progress.feed("#6 [web 1/2] FROM docker.io/demo/busybox:1")
    assert progress.feed("#8 [web 2/2] RUN echo hello") == [BuildStep(0, 2)]
    assert progress.end(succeeded=True) == [BuildStep(2, 2)]


def test_container_states_messages_and_errors_are_recognised() -> None:
    progress = ProgressParser()
    assert progress.feed('{"id":"Container a-1","status":"Started"}') == [
        ResourceState("Container a-1", "Started")
    ]
    assert progress.feed("WARNING: something") == [
        ComposeMessage("WARNING: something", error=False)
    ]
    assert progress.feed("") == []
    progress.feed('{"error":true,"message":"no such service: x"}')
    assert progress.errors == ["no such service: x"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["vertexes", "logs", "id", "status", "error", "message", "name", "digest",
                         "data", "vertex", "completed", "stream"]), inner, max_size=4),
)  # fmt: skip


@given(st.text() | _JSON.map(json.dumps))
def test_no_line_of_output_makes_the_progress_parser_fail(line: str) -> None:
    progress = ProgressParser()
    progress.feed(line)
    progress.end(succeeded=True)


@given(st.lists(st.binary(max_size=8)))
def test_lines_do_not_depend_on_how_the_bytes_are_chunked(chunks: list[bytes]) -> None:
    whole, pieces = LineSplitter(), LineSplitter()
    expected = whole.feed(b"".join(chunks)) + whole.end()
    assert [line for chunk in chunks for line in pieces.feed(chunk)] + pieces.end() == expected


@given(st.text(alphabet=st.characters(max_codepoint=0x9F)))
def test_output_made_safe_to_show_has_no_control_characters(line: str) -> None:
    assert all(char == "\t" or 0x20 <= ord(char) < 0x7F for char in plain(line).replace("\n", ""))


def test_compose_files_are_chosen_as_compose_chooses_them(tmp_path: Path) -> None:
    with pytest.raises(ScarError) as failure:
        compose_files(tmp_path)
    assert failure.value.code == "project_invalid"
    for name in ("docker-compose.yaml", "docker-compose.yml", "docker-compose.override.yml"):
        (tmp_path / name).touch()
    assert compose_files(tmp_path) == ("docker-compose.yml", "docker-compose.override.yml")
    (tmp_path / "compose.yml").touch()
    assert compose_files(tmp_path)[0] == "compose.yml"
    (tmp_path / ".env").write_text("# x\nCOMPOSE_FILE='a.yml:sub/b.yml'\n")
    assert compose_files(tmp_path) == ("a.yml", "sub/b.yml")
