from __future__ import annotations

import json

import pytest
from airflow.api_fastapi.core_api.security import USER_INJECTED_BY_TRUSTED_MIDDLEWARE
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from open_orders.web import auth
from open_orders.web.navigation import AREA_OF_ROUTE, build_external_views, build_react_apps
from open_orders.web.plugin_filter import PluginFilter
from tests.web.web_client import FakeUser

LISTING = {
    "plugins": [
        {"name": "open_orders", "external_views": build_external_views(), "react_apps": build_react_apps()},
        {"name": "another", "external_views": [{"name": "Theirs", "url_route": "theirs"}], "react_apps": []},
    ],
    "total_entries": 2,
}


def ask(user: FakeUser | None, *, trusted: bool = True, status: int = 200) -> dict[str, object]:
    app = FastAPI()

    @app.get("/api/v2/plugins", status_code=status)
    def plugins() -> object:
        return LISTING

    class Session:
        """Airflow's own middleware, which is outside of those of plugins."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
            if scope["type"] == "http" and user is not None:
                state = Request(scope).state
                state.user = user
                state.user_authenticated_via = USER_INJECTED_BY_TRUSTED_MIDDLEWARE if trusted else None
            await self._inner(scope, receive, send)  # type: ignore[operator]

    app.add_middleware(PluginFilter)
    app.add_middleware(Session)
    with TestClient(app) as client:
        found: dict[str, object] = client.get("/api/v2/plugins").json()
        return found


@pytest.fixture(autouse=True)
def _permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "may_read", lambda user, area: area in user.permissions)


def names(listing: dict[str, object]) -> list[str]:
    plugins = json.loads(json.dumps(listing))["plugins"]
    return [item["name"] for plugin in plugins for item in plugin["external_views"] + plugin["react_apps"]]


def test_every_item_of_ours_needs_a_permission() -> None:
    assert {item["url_route"] for item in build_external_views() + build_react_apps()} == set(AREA_OF_ROUTE)


@pytest.mark.parametrize(
    ("permissions", "shown"),
    [
        ({"Job Logs", "Open Orders"}, ["Job Logs", "Open Orders", "Job Log", "Open orders sync", "Theirs"]),
        ({"Job Logs"}, ["Job Logs", "Job Log", "Open orders sync", "Theirs"]),
        ({"Open Orders"}, ["Open Orders", "Theirs"]),
        (set(), ["Theirs"]),
    ],
)
def test_session_is_told_only_of_what_it_may_read(permissions: set[str], shown: list[str]) -> None:
    assert names(ask(FakeUser(permissions=permissions))) == shown


def test_program_without_a_session_gets_the_list_as_it_is() -> None:
    assert ask(None) == LISTING
    assert ask(FakeUser(permissions=set()), trusted=False) == LISTING


def test_refusal_of_airflow_passes_unchanged() -> None:
    assert ask(FakeUser(permissions=set()), status=403) == LISTING
