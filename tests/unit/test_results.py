"""Every kind of job has its parts, and its plan and result are the same on both sides of Redis."""

from __future__ import annotations

import ast
import functools
import json
import sys
from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs import results
from scar.jobs.results import job_kinds
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.jobs.results.json_record import ABSENT, JsonRecord, present, schema_of
from scar.jobs.results.restart import RestartPlan, RestartResult
from tests.support.job_documents import PLANS, RESULTS
from workers.registry import handlers
from workers.runtime.handlers import WriteJob

FOLDER = Path(results.__file__).parent
KINDS = sorted(job_commands().keys() | handlers().keys() | job_kinds().keys())
RECORDS: dict[str, type[JsonRecord]] = {
    record.__name__: record
    for kind in job_kinds().values()
    for record in (kind.plan, kind.result)
    if record
}
EACH_RECORD = pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_job_has_a_command_a_handler_and_a_result_type(kind: str) -> None:
    assert kind in job_commands(), f"no file of scar/commands has the kind '{kind}'"
    assert kind in handlers(), (
        f"no file of workers/facts or workers/operations has the kind '{kind}'"
    )
    assert kind in job_kinds(), f"no file of scar/jobs/results has the kind '{kind}'"


@pytest.mark.parametrize("kind", sorted(job_kinds()))
def test_exactly_the_kinds_of_job_that_change_something_have_a_plan_type(kind: str) -> None:
    plans = job_kinds()[kind].plan is not None
    assert plans == isinstance(handlers()[kind], WriteJob)
    assert plans or not job_commands()[kind].asks


@pytest.mark.parametrize("kind", sorted(job_kinds()))
def test_the_file_of_each_kind_of_job_is_named_after_it(kind: str) -> None:
    assert (FOLDER / f"{kind}.py").exists()


def test_results_can_be_read_without_the_rest_of_scar() -> None:
    allowed = {*sys.stdlib_module_names, "marshmallow"}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                ours = name in ("scar.errors", "scar.json_object", "scar.role")
                ours = ours or name.startswith("scar.jobs.results.")
                assert ours or name.partition(".")[0] in allowed, f"{path.name} imports {name}"


@functools.cache
def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if isinstance(annotation, UnionType):
        return st.one_of([values(option) for option in get_args(annotation)])
    if get_origin(annotation) is tuple:
        return st.lists(values(get_args(annotation)[0]), max_size=3).map(tuple)
    if annotation is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if isinstance(annotation, type) and issubclass(annotation, JsonRecord):
        hints = get_type_hints(annotation)
        return st.builds(annotation, **{f.name: values(hints[f.name]) for f in fields(annotation)})
    return st.from_type(annotation)


@EACH_RECORD
@settings(deadline=None)
@given(data=st.data())
def test_what_a_worker_writes_is_what_a_command_reads(
    record: type[JsonRecord], data: st.DataObject
) -> None:
    written = data.draw(values(cast("Any", record)))
    document = written.to_json()
    read = record.from_json(json.loads(json.dumps(document)))
    assert read == written
    assert read.to_json() == document


@pytest.mark.parametrize(("kind", "document"), PLANS)
def test_the_json_keys_of_plans_stay_the_same(kind: str, document: Mapping[str, Any]) -> None:
    plan = job_kinds()[kind].plan
    assert plan is not None
    assert plan.from_json(document).to_json() == document


@pytest.mark.parametrize(("kind", "document"), RESULTS)
def test_the_json_keys_of_results_stay_the_same(kind: str, document: Mapping[str, Any]) -> None:
    assert job_kinds()[kind].result.from_json(document).to_json() == document


@EACH_RECORD
def test_a_plan_or_result_written_by_another_version_can_be_read(record: type[JsonRecord]) -> None:
    empty = record.from_json({})
    assert record.from_json({"of": "a later version"}) == empty
    assert record.from_json(empty.to_json()) == empty


def test_nested_records_written_by_another_version_can_be_read() -> None:
    plan = DeployPlan.from_json({"hash": "a", "files": {"added": ["b"], "moved": ["c"]}})
    assert (plan.files.added, plan.files.removed, plan.changed) == (("b",), (), False)


def test_a_value_of_another_type_is_refused_and_named() -> None:
    with pytest.raises(ScarError, match="RestartPlan cannot be read: 'containers'") as refused:
        RestartPlan.from_json({"hash": "a", "containers": "web"})
    assert refused.value.code == "internal"


def test_a_key_that_is_absent_differs_from_one_that_is_null() -> None:
    overtaken, measured = DeployResult(release="a"), DeployResult(downtime_seconds=0.0)
    assert overtaken.downtime_seconds is ABSENT
    assert not overtaken.downtime_seconds
    assert present(overtaken.downtime_seconds) is None
    assert present(measured.downtime_seconds) == 0.0
    assert RestartResult(downtime_seconds=None).to_json() == {"downtime_seconds": None}


@pytest.mark.parametrize("annotation", [dict[str, Any], list[str], str | int, tuple[str, int]])
def test_a_field_that_json_cannot_tell_apart_is_refused(annotation: Any) -> None:
    row = make_dataclass("Row", [("field", annotation)], bases=(JsonRecord,), frozen=True)
    with pytest.raises(TypeError, match="cannot be the type"):
        schema_of(row)
