"""Who gets in, with Airflow's own users, roles, sessions and passwords: a real api-server on a real database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from open_orders.web.app import build_job_logs_app, build_open_orders_app
from open_orders.web.permissions import OWN_ROLE
from sandbox.airflow_environment import build_airflow_environment
from sandbox.ports import HOST, find_free_port
from sandbox.postgres import EmbeddedPostgres
from sandbox.state import REPOSITORY, State

START_TIMEOUT_S = 120
# Sees Airflow and its list of plugins, but none of ours.
OTHER_ROLE = "Other Plugins"
USERS = {"admin": "Admin", "viewer": "Viewer", "reader": OWN_ROLE, "other": OTHER_ROLE}
READERS = ("admin", "viewer", "reader")
PATHS = [
    prefix + route.path.replace("{name}", "20261124_094000")
    for prefix, app in (("/job_logs", build_job_logs_app()), ("/open_orders", build_open_orders_app()))
    for route in app.routes
    if isinstance(route, APIRoute)
]

pytestmark = pytest.mark.timeout(300)


def password(user: str) -> str:
    return f"the pass:word of {user}"


def run(environment: Mapping[str, str], *arguments: str, answers: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=dict(environment), cwd=REPOSITORY, input=answers,
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Airflow:
    """A running api-server."""

    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    def get(
        self, path: str, *, user: str | None = None, token: str | None = None, accept: str = "text/html"
    ) -> httpx.Response:
        """Ask with a password, a token or nothing."""
        headers = {"accept": accept} | ({"authorization": f"Bearer {token}"} if token else {})
        with self.client(auth=(user, password(user)) if user else None) as client:
            return client.get(path, headers=headers)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=False, **options)

    def token(self, user: str) -> str:
        """Return a token as a session of Airflow's web UI has it; made once, for passwords are slow to check."""
        if user not in self.tokens:
            with self.client() as client:
                answer = client.post("/auth/token", json={"username": user, "password": password(user)})
            self.tokens[user] = answer.json()["access_token"]
        return self.tokens[user]

    def session(self, user: str) -> httpx.Client:
        """Return a client with the session that Airflow's web UI would have."""
        return self.client(cookies={"_token": self.token(user)})


@pytest.fixture(scope="module")
def environment(postgres: EmbeddedPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    state = State(tmp_path_factory.mktemp("web access"))
    state.create_directories()
    postgres.create_database("web_access")
    return build_airflow_environment(
        state,
        metadata_dsn=postgres.dsn("web_access"),
        orders_uri=postgres.dsn(migrated).replace("postgresql://", "postgres://"),
        erp_uri="mssql://nobody@127.0.0.1:1/ERP",
        web_port=find_free_port(),
    )


@pytest.fixture(scope="module")
def airflow(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    run(environment, "airflow", "db", "migrate")
    run(environment, "open_orders.web.permissions")
    run(environment, "airflow", "roles", "create", OTHER_ROLE)
    run(environment, "airflow", "roles", "add-perms", OTHER_ROLE, "--resource", "Plugins", "--action", "can_read")
    for user, role in USERS.items():
        names = ["--username", user, "--firstname", user, "--lastname", "T", "--email", f"{user}@example.com"]
        run(
            environment, "airflow", "users", "create", "--role", role, *names, answers=f"{password(user)}\n" * 2
        )  # fmt: skip
    log = tmp_path_factory.mktemp("log") / "api-server.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"], env=environment, cwd=REPOSITORY, stdout=file, stderr=file
        )
    try:
        found = Airflow(environment["AIRFLOW__API__BASE_URL"])
        await_listening(found, server, log)
        yield found
    finally:
        server.terminate()
        server.wait()


def await_listening(airflow: Airflow, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if airflow.get("/api/v2/version").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"The api-server on {HOST} does not answer:\n{log.read_text()[-5000:]}")


def test_permissions_can_be_given_again(environment: dict[str, str], airflow: Airflow) -> None:
    assert OWN_ROLE in run(environment, "open_orders.web.permissions")


@pytest.mark.parametrize("path", PATHS)
def test_anonymous_and_wrong_password_get_401(airflow: Airflow, path: str) -> None:
    assert airflow.get(path, accept="*/*").status_code == 401
    with airflow.client(auth=("admin", "wrong")) as client:
        # The brake on guessing passwords steps in after a few.
        assert client.get(path).status_code in (401, 429)


@pytest.mark.parametrize("path", PATHS)
def test_who_may_read_gets_in_by_session_token_and_password(airflow: Airflow, path: str) -> None:
    answers = [airflow.get(path, user="reader"), airflow.get(path, token=airflow.token("reader"))]
    for user in READERS:
        with airflow.session(user) as client:
            answers.append(client.get(path))
    # The database is empty: no such job log (404), nothing healthy (503), and a run's tab without its run (422).
    assert {answer.status_code for answer in answers} <= {200, 404, 422, 503}


@pytest.mark.parametrize("path", PATHS)
def test_signed_in_without_the_permission_gets_403(airflow: Airflow, path: str) -> None:
    area = "Job Logs" if path.startswith("/job_logs") else "Open Orders"
    with airflow.session("other") as client:
        for answer in (client.get(path, headers={"accept": "text/html"}), airflow.get(path, user="other")):
            assert answer.status_code == 403
            assert area in answer.text


# Airflow's login form takes five attempts in 40 seconds.
@pytest.mark.parametrize("path", ["/job_logs/verdict", "/open_orders/"])
def test_login_brings_a_browser_back_to_where_it_was_going(airflow: Airflow, path: str) -> None:
    with airflow.client(follow_redirects=True) as client:
        form = client.get(f"{path}?status=error", headers={"accept": "text/html"})
        assert form.url.path == "/auth/login/"
        csrf = form.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        fields = {"username": "reader", "password": password("reader"), "csrf_token": csrf}
        back = client.post(form.url, data=fields, headers={"accept": "text/html"})
        assert (back.url.path, back.url.query) == (path, b"status=error")
        assert back.status_code in (200, 404, 503)


def test_navigation_is_only_for_who_may_read(airflow: Airflow) -> None:
    shown = {}
    for user in USERS:
        with airflow.session(user) as client:
            plugins = client.get("/api/v2/plugins").json()["plugins"]
        ours = next(plugin for plugin in plugins if plugin["name"] == "open_orders")
        shown[user] = {view["name"] for view in ours["external_views"] + ours["react_apps"]}
    everything = {"Job Logs", "Open Orders", "Job Log", "Open orders sync"}
    assert shown == {"admin": everything, "viewer": everything, "reader": everything, "other": set()}


def test_own_role_sees_our_pages_and_nothing_else(airflow: Airflow) -> None:
    with airflow.session("reader") as client:
        for path in ("dags", "connections", "variables", "pools", "jobs", "assets", "config"):
            assert client.get(f"/api/v2/{path}").status_code == 403, path
