"""A session, a token and a password end with the user whose they are: a real api-server on a real database."""

from __future__ import annotations

import psycopg

from open_orders.web.permissions import OWN_ROLE
from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.airflow_client import OTHER_ROLE, Airflow

# Airflow keeps for a while whom a session belongs to ([fab] cache_ttl, see conftest.py).
KNOWN_FOR_S = 90
PATHS = ("/job_logs/", "/open_orders/api/open_orders", "/open_orders/export.csv")


def delete(airflow: Airflow, _running: RunningSandbox, user: str) -> None:
    answer = airflow.ask_as_admin("DELETE", f"/auth/fab/v1/users/{user}")
    assert answer.is_success, answer.text


def deactivate(_airflow: Airflow, running: RunningSandbox, user: str) -> None:
    # As the form in Airflow's web UI does; its API has no field for it.
    metadata = running.airflow_environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(metadata) as connection:
        assert connection.execute("UPDATE ab_user SET active = false WHERE username = %s", [user]).rowcount == 1


def take_role(airflow: Airflow, _running: RunningSandbox, user: str) -> None:
    answer = airflow.ask_as_admin("PATCH", f"/auth/fab/v1/users/{user}", {"roles": [{"name": OTHER_ROLE}]})
    assert answer.is_success, answer.text


# How somebody leaves, and what they are told then.
LEAVE = {delete: 401, deactivate: 401, take_role: 403}


def statuses(airflow: Airflow, user: str, path: str) -> set[int]:
    """Return the answers to the user's session and token, as they were made before."""
    with airflow.session(user) as session:
        by_session = session.get(path, headers={"accept": "*/*"})
    return {by_session.status_code, airflow.get(path, token=airflow.token(user), accept="*/*").status_code}


def test_who_leaves_is_out_with_every_way_in(airflow: Airflow, running: RunningSandbox) -> None:
    users = {leave: f"leaver_{leave.__name__}" for leave in LEAVE}
    for user in users.values():
        airflow.create_user(user, OWN_ROLE)
        assert all(statuses(airflow, user, path) == {200} for path in PATHS)
        assert airflow.get(PATHS[0], user=user).status_code == 200
    for leave, user in users.items():
        leave(airflow, running, user)
        # A password is looked up anew each time; the roles of who knew it may be those of a moment ago.
        assert LEAVE[leave] == 403 or airflow.get(PATHS[0], user=user).status_code == 401
    for leave, user in users.items():
        told = {LEAVE[leave]}
        running.await_true(lambda: statuses(airflow, user, PATHS[0]) == told, KNOWN_FOR_S, f"the end of {user}")  # noqa: B023
        assert all(statuses(airflow, user, path) == told for path in PATHS)
        assert airflow.get(PATHS[0], user=user).status_code == LEAVE[leave]
        with airflow.session(user) as session:
            page = session.get("/job_logs/", headers={"accept": "text/html"})
        assert page.status_code == (302 if LEAVE[leave] == 401 else 403)
