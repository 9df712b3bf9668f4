"""Who gets in, with Airflow's own users, roles, sessions and passwords: a real api-server on a real database."""

from __future__ import annotations

import subprocess

import pytest
from fastapi.routing import APIRoute

from open_orders.web.app import build_job_logs_app, build_open_orders_app
from open_orders.web.permissions import OWN_ROLE
from tests.e2e.running_sandbox import RunningSandbox
from tests.first_run import ROOT
from tests.ui.airflow_client import Airflow

READERS = ("admin", "viewer", "reader")
PATHS = [
    prefix + route.path.replace("{name}", "20200101_000000")
    for prefix, app in (("/job_logs", build_job_logs_app()), ("/open_orders", build_open_orders_app()))
    for route in app.routes
    if isinstance(route, APIRoute)
]


def test_permissions_can_be_given_again(running: RunningSandbox) -> None:
    # The quickstart has given them.
    done = subprocess.run(
        [ROOT / "bin" / "permissions"],
        env=running.airflow_environment, capture_output=True, text=True, check=True, start_new_session=True,
    )  # fmt: skip
    assert OWN_ROLE in done.stdout


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
    # No such job log (404), nothing healthy (503), a run's tab without its run (422).
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
        fields = {"username": "reader", "password": airflow.passwords["reader"], "csrf_token": csrf}
        back = client.post(form.url, data=fields, headers={"accept": "text/html"})
        assert (back.url.path, back.url.query) == (path, b"status=error")
        assert back.status_code in (200, 404, 503)


def test_navigation_is_only_for_who_may_read(airflow: Airflow) -> None:
    shown = {}
    for user in (*READERS, "other"):
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
