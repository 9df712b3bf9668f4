"""docs/api.md against the OpenAPI documents that the apps give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi

from open_orders.web.app import build_job_logs_app, build_open_orders_app

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def document(prefix: str) -> dict[str, Any]:
    app = build_job_logs_app() if prefix == "/job_logs" else build_open_orders_app()
    api = [route for route in app.routes if getattr(route, "path", "").startswith("/api/")]
    return get_openapi(title="", version="1", routes=api)


def described() -> dict[str, tuple[set[str], set[str]]]:
    """Return the parameters and the fields of the answer that the page has for each route."""
    rows = re.findall(r"^\| `(/\S+)` \|([^|]*)\|([^|]*)\|$", PAGE, re.MULTILINE)
    found = {
        route: (set(re.findall(r"`(\w+)`", given)), set(re.findall(r"`(\w+)`", answer)))
        for route, given, answer in rows
    }
    # "The same, and": those of the verdict.
    found["/job_logs/api/panel"][1].update(found["/job_logs/api/health"][1])
    return found


@pytest.mark.parametrize("prefix", ["/job_logs", "/open_orders"])
def test_page_has_each_route_with_its_parameters_and_fields(prefix: str) -> None:
    schema = document(prefix)
    expected = {}
    for path, operations in schema["paths"].items():
        operation = operations["get"]
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        expected[prefix + path] = (names, set(schema["components"]["schemas"][answer]["properties"]))
    assert {route: given for route, given in described().items() if route.startswith(prefix)} == expected


@pytest.mark.parametrize("prefix", ["/job_logs", "/open_orders"])
def test_examples_use_routes_and_parameters_that_there_are(prefix: str) -> None:
    examples = re.findall(rf"http://127\.0\.0\.1:8080({prefix}/\S*)((?: \\\n +.*)*)", PAGE)
    assert len(examples) >= 2
    for route, more in examples:
        found = [known for known in described() if re.fullmatch(re.sub(r"\{\w+\}", r"\\w+", known), route)]
        assert found, route
        assert set(re.findall(r"--data (\w+)=", more)) <= described()[found[0]][0]
