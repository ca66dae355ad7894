"""schemathesis over the whole API: what `/openapi.json` says is what the server does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import ignored_auth

from scar.api.app import create_app
from scar.bootstrap import Services, bootstrap
from scar.settings import Settings
from tests.support.acting_worker import ActingClaim, ActingWorker
from tests.support.job_documents import RESULTS, STATUS
from tests.support.live_api import ApiProcess, bearer


def _described() -> dict[str, Any]:
    """Return an application's OpenAPI document, without connecting to anything."""
    nowhere = Settings(redis_url="redis://127.0.0.1:1", secret_key="for no signature at all")
    answer = create_app(bootstrap(nowhere, "api")).test_client().get("/openapi.json")
    return cast("dict[str, Any]", answer.json)


_DOCUMENT = _described()
schema = schemathesis.openapi.from_dict(_DOCUMENT)
OPERATIONS = [
    (method.upper(), path)
    for path, operations in _DOCUMENT["paths"].items()
    for method in operations
    if method in ("get", "post", "put", "patch", "delete")
]
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def ended_job(worker: ActingWorker, services: Services) -> Iterator[str]:
    """The id of a job that has ended; other jobs end as soon as they are queued."""
    shop = services.projects.get("shop")
    root = services.access.actor_of_token(bearer("root")["Authorization"].split()[1])
    assert root is not None
    made = services.job_service.submit(root, services.job_service.commands["status"], shop, {})
    worker.claim(made.id).succeed(STATUS)
    result_of = {kind: dict(result) for kind, result in reversed(RESULTS)}  # the first of each
    stopped = Event()

    def work() -> None:
        while not stopped.is_set():
            worker.alive("default")
            worker.alive("far")
            for id in cast("list[str]", services.redis.zrange("scar:open", 0, -1)):
                claim = services.ledger.claim(id, "test", "nonce")
                if claim is not None and claim.purpose == "run":
                    kind = json.loads(claim.signed.request)["kind"]
                    ActingClaim.of(services, claim).succeed(result_of[kind])
            stopped.wait(0.02)

    thread = Thread(target=work)
    thread.start()
    yield made.id
    stopped.set()
    thread.join()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_api_behaves_as_its_openapi_document_says(
    method: str, path: str, ended_job: str, server: ApiProcess
) -> None:
    """The requests are made up here: `schema.parametrize` takes ten seconds of CPU for it while
    tests are collected, in every process of pytest.
    """
    one = schema.include(method=method, path=path)
    tests = get_all_tests(schema=one, test_func=behaves, settings=SETTINGS, given_kwargs=None)
    (result,) = tests
    assert isinstance(result, Ok)
    _, behaves_always = result.ok()
    behaves_always(ended_job=ended_job, server=server)


def behaves(case: Any, ended_job: str, server: ApiProcess) -> None:
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        # Generated ids and names would hardly ever exist.
        real = {"job_id": ended_job, "name": "shop", "word": "projects"}
        for name in case.path_parameters or {}:
            if len(json.dumps(case.path_parameters[name])) % 3:
                case.path_parameters[name] = real[name]
        if case.operation.label == "POST /api/v1/jobs":
            case.body.pop("project", None)  # generated names would hardly ever exist
            if case.body["kind"] == "clone":  # its address has rules beside the schema's
                case.body["args"] = {"url": "https://github.com/acme/shop"}
    header = case.meta.components.get(ParameterLocation.HEADER)
    spoilt = header is not None and header.mode is GenerationMode.NEGATIVE
    headers = {} if spoilt else bearer("root")
    # Wrong tokens are left out, since so many would exceed the rate limit; `test_access` sends one
    # to every route.
    case.call_and_validate(base_url=server.url, headers=headers, excluded_checks=[ignored_auth])
