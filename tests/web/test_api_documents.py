"""The OpenAPI documents tell the truth: requests made from them, right ones and wrong ones, on a database with data."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import schemathesis
from fastapi.dependencies.utils import get_flat_dependant
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.hostile import fill
from tests.web.routes import walk_plugin
from tests.web.web_client import WebClient

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


# Which app, the path below it, and right requests or wrong ones: without a query there is no wrong one.
OPERATIONS = [
    (found.prefix, found.path.removeprefix(found.prefix), mode)
    for found in walk_plugin()
    if found.asks and found.route.include_in_schema and found.path.startswith(f"{found.prefix}/api/")
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or get_flat_dependant(found.route.dependant).query_params
]


@pytest.mark.parametrize(("prefix", "path", "mode"), OPERATIONS)
def test_answers_are_as_the_document_says(
    web: WebClient, orders: psycopg.Connection[Any], prefix: str, path: str, mode: GenerationMode
) -> None:
    known = fill(orders)[0]
    document = web.get(f"{prefix}/api/openapi.json", accept="*/*").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(with_security_parameters=False)
    operation = schema[path]["GET"]

    @given(operation.as_strategy(generation_mode=mode), booleans())
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case, exists: bool) -> None:
        if exists and mode is GenerationMode.POSITIVE and "name" in case.path_parameters:
            case.path_parameters["name"] = known
        # Starlette takes no mounted app's path with a line break in it to that app: Airflow itself says 404.
        assume("\n" not in str(case.path_parameters.get("name")))
        request = case.as_transport_kwargs(base_url=f"{web.http.base_url}{prefix}")
        # The client sends no longer ones.
        assume(len(urlencode(request["params"] or {})) < 60_000)
        wanted = {name: request[name] for name in ("method", "url", "params", "headers")}
        case.validate_response(web.http.request(**wanted), checks=CHECKS)

    check()
