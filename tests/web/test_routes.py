"""No way in past the question who asks: of whatever kind a route is that somebody adds, and wherever they add it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.plugins_manager import AirflowPlugin
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from open_orders.web.app import build_job_logs_app
from open_orders.web.auth import require
from open_orders.web.bare_addresses import BareAddresses
from open_orders.web.few_at_once import FewAtOnce
from open_orders.web.head_requests import HeadRequests
from open_orders.web.lazy_app import LazyApp
from open_orders.web.navigation import AREA_OF_ROUTE
from open_orders.web.plugin_filter import PluginFilter
from open_orders.web.security_headers import SecurityHeaders
from open_orders.web.static_files import STATIC_DIR
from open_orders_plugin import OpenOrdersPlugin
from tests.web.routes import AREAS, FoundRoute, walk, walk_plugin
from tests.web.web_client import WebClient

ROUTES = walk_plugin()
# Style sheets, scripts and icons: the same for everybody, nothing of the ERP, and a login page needs them, too.
PUBLIC = {"/job_logs/static", "/open_orders/static"}
# Of Airflow's whole app. One takes items away from what Airflow answers; the other adds a slash to an address.
ROOT_MIDDLEWARES = {PluginFilter, BareAddresses}
# Of our apps. One adds headers to an answer, the other takes its body away.
MIDDLEWARES = {SecurityHeaders, FewAtOnce, HeadRequests}
REGISTERED = {"fastapi_apps", "fastapi_root_middlewares", "external_views", "react_apps"}
# What Airflow tells of itself: nobody outside can call these.
LISTENERS = {"listeners"}


def unasked(routes: list[FoundRoute]) -> set[str]:
    return {found.path for found in routes if not found.asks}


def test_every_route_asks_but_the_static_files() -> None:
    assert unasked(ROUTES) == PUBLIC
    for found in ROUTES:
        if found.path in PUBLIC:
            assert isinstance(found.route.app, StaticFiles)
            assert found.route.app.all_directories == [STATIC_DIR]


def test_every_app_has_an_area() -> None:
    assert {app["url_prefix"] for app in OpenOrdersPlugin.fastapi_apps} == set(AREAS)


@pytest.mark.parametrize("app", [app["app"].build() for app in OpenOrdersPlugin.fastapi_apps])
def test_nothing_else_in_an_app_answers_or_lets_anybody_in(app: FastAPI) -> None:
    assert {middleware.cls for middleware in app.user_middleware} == MIDDLEWARES
    assert app.router.on_startup == app.router.on_shutdown == []
    assert app.dependency_overrides == {}


def test_plugin_registers_nothing_else_that_could_answer() -> None:
    lists = {name for name, value in vars(AirflowPlugin).items() if isinstance(value, list)}
    assert {name for name in lists if getattr(OpenOrdersPlugin, name)} == REGISTERED | LISTENERS
    assert {entry["middleware"] for entry in OpenOrdersPlugin.fastapi_root_middlewares} == ROOT_MIDDLEWARES


@pytest.mark.parametrize("view", [*OpenOrdersPlugin.external_views, *OpenOrdersPlugin.react_apps])
def test_item_of_airflows_ui_leads_to_a_route_that_asks_for_its_permission(view: dict[str, Any]) -> None:
    address = urlsplit(view.get("href") or view["bundle_url"])
    assert (address.scheme, address.netloc) == ("", "")
    found = next(found for found in ROUTES if matches(found, address.path))
    assert found.asks or found.path in PUBLIC
    # Whose data it shows: that of the app, which a panel asks for as a page would.
    assert AREA_OF_ROUTE[view["url_route"]] == AREAS[found.prefix]


def matches(found: FoundRoute, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path.removeprefix(found.prefix), "headers": []}
    return path.startswith(found.prefix) and found.route.matches(scope)[0] is Match.FULL


@pytest.mark.parametrize("found", ROUTES, ids=lambda found: found.path)
def test_who_is_not_signed_in_gets_nothing_but_static_files(web: WebClient, found: FoundRoute) -> None:
    web.reader.signed_in = False
    path = found.path.replace("{name}", "20261124_094000")
    answer = web.get(f"{path}/base.css" if found.path in PUBLIC else path, accept="*/*")
    assert answer.status_code == (200 if found.path in PUBLIC else 401)


def answer(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the ERP's orders")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()


def add_router(app: FastAPI) -> None:
    router = APIRouter(prefix="/new")
    router.add_api_route("/route", lambda: "x")
    app.include_router(router)


def add_mounted_api(app: FastAPI) -> None:
    inner = FastAPI(openapi_url=None)
    inner.add_api_route("/route", lambda: "x")
    app.mount("/new", inner)


def add_for_the_other_area(app: FastAPI) -> None:
    app.add_api_route("/new/route", lambda: "x", dependencies=[Depends(require("Open Orders"))])


ADDITIONS: dict[str, Callable[[FastAPI], None]] = {
    "route of FastAPI": lambda app: app.add_api_route("/new/route", lambda: "x"),
    "route of Starlette": lambda app: app.add_route("/new/route", answer),
    "router": add_router,
    "websocket of FastAPI": lambda app: app.add_api_websocket_route("/new/route", talk),
    "websocket of Starlette": lambda app: app.router.routes.append(WebSocketRoute("/new/route", talk)),
    "mounted app of Starlette": lambda app: app.mount("/new", Starlette(routes=[Route("/route", answer)])),
    "mounted app of FastAPI": add_mounted_api,
    "mount in a mount": lambda app: app.mount("/new", Starlette(routes=[Mount("/route", routes=[Route("/", answer)])])),
    "mounted files": lambda app: app.mount("/new/route", StaticFiles(directory=STATIC_DIR)),
    "mounted function": lambda app: app.mount("/new/route", lambda _scope, _receive, _send: None),
    "host": lambda app: app.host("new", Starlette(routes=[Route("/new/route", answer)])),
    "documentation of FastAPI": lambda app: app.include_router(FastAPI(openapi_url="/new/route").router),
    "the permission of the other area": add_for_the_other_area,
}


@pytest.mark.parametrize("add", ADDITIONS.values(), ids=ADDITIONS)
def test_route_that_somebody_adds_without_asking_is_found(add: Callable[[FastAPI], None]) -> None:
    app = build_job_logs_app()
    before = unasked(list(walk(app, "/job_logs")))
    add(app)
    added = unasked(list(walk(app, "/job_logs"))) - before
    assert any(path.startswith("/job_logs/new") for path in added)


@pytest.mark.parametrize(
    "app", [Starlette(routes=[Route("/", answer)]), answer, LazyApp("tests.web.test_routes", "build_job_logs_app")]
)
def test_app_that_somebody_adds_is_found(app: Any) -> None:
    added = unasked(walk_plugin([*OpenOrdersPlugin.fastapi_apps, {"name": "New", "url_prefix": "/new", "app": app}]))
    assert any(path.startswith("/new") for path in added)
