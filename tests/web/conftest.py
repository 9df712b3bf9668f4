from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest
from airflow.api_fastapi.app import _AuthManagerState  # the one place where Airflow keeps its auth manager
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from fastapi import FastAPI, HTTPException
from sqlalchemy import event
from starlette.testclient import TestClient

from open_orders.web import auth, database
from open_orders.web.app import build_job_logs_app, build_open_orders_app
from tests.integration.conftest import erp, execution, source_driver, sync  # noqa: F401 - fixtures
from tests.web.web_client import PASSWORD, FakeUser, WebClient


@pytest.fixture
def reader() -> FakeUser:
    """Return who is signed in: may read both areas and trigger the sync, unless a test changes that."""
    return FakeUser()


@pytest.fixture(scope="session")
def root() -> FastAPI:
    """Return an app with both of ours mounted as Airflow mounts them."""
    root = FastAPI()
    root.mount("/job_logs", build_job_logs_app())
    root.mount("/open_orders", build_open_orders_app())
    return root


@pytest.fixture
def web(orders_dsn: str, root: FastAPI, reader: FakeUser, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebClient]:
    """Yield a client on both apps, with a session of `reader`."""
    database.engine.cache_clear()
    manager = create_autospec(FabAuthManager, instance=True, flask_app=MagicMock(config={}))
    manager.create_token.side_effect = lambda _headers, body: reader if body["password"] == PASSWORD else None
    manager.serialize_user.return_value = {"sub": "1"}
    manager.deserialize_user.return_value = reader
    manager.is_authorized_custom_view.side_effect = lambda *, method, resource_name, user: (
        method == "GET" and resource_name in user.permissions
    )
    manager.is_authorized_dag.side_effect = lambda *, user, **_: user.may_trigger
    monkeypatch.setattr(_AuthManagerState, "instance", manager)

    async def session_user(*_: Any) -> FakeUser:
        if not reader.signed_in:
            raise HTTPException(401, "Not authenticated")
        return reader

    monkeypatch.setattr(auth, "get_user", session_user)
    auth.failures.cache_clear()
    with TestClient(root, base_url="http://airflow.example", follow_redirects=False) as client:
        yield WebClient(client, reader)
    for made in map(database.engine, database.POOLS):
        made.dispose()
    database.engine.cache_clear()


@pytest.fixture
def queries(web: WebClient) -> Iterator[list[str]]:
    """Yield the list of statements that the web executes, for pages and downloads."""
    executed: list[str] = []

    def remember(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    engines = list(map(database.engine, database.POOLS))
    for made in engines:
        event.listen(made, "before_cursor_execute", remember)
    yield executed
    for made in engines:
        event.remove(made, "before_cursor_execute", remember)
