"""A session, a token and a password end with the user whose they are: a real api-server on a real database."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from open_orders.web.permissions import OWN_ROLE
from tests.e2e.running_sandbox import RunningSandbox
from tests.ui.airflow_client import OTHER_ROLE, Airflow

# Airflow keeps whom a session belongs to for 30 s ([fab] cache_ttl).
KNOWN_FOR_S = 90
PATHS = ("/job_logs/", "/open_orders/api/open_orders", "/open_orders/export.csv")

pytestmark = pytest.mark.timeout(300)


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


@pytest.mark.parametrize(("leave", "status"), [(delete, 401), (deactivate, 401), (take_role, 403)])
def test_who_leaves_is_out_with_every_way_in(
    airflow: Airflow, running: RunningSandbox, leave: Callable[[Airflow, RunningSandbox, str], None], status: int
) -> None:
    user = f"leaver_{leave.__name__}"
    airflow.create_user(user, OWN_ROLE)
    token = airflow.token(user)

    def answers(path: str) -> set[int]:
        with airflow.session(user) as session:
            by_session = session.get(path, headers={"accept": "*/*"})
        by_token = airflow.get(path, token=token, accept="*/*")
        return {by_session.status_code, by_token.status_code}

    assert all(answers(path) == {200} for path in PATHS)
    assert airflow.get(PATHS[0], user=user).status_code == 200
    leave(airflow, running, user)
    # A password is looked up anew each time; the role of who knew it is one of those that are kept for a moment.
    if status == 401:
        assert airflow.get(PATHS[0], user=user).status_code == 401
    running.await_true(lambda: answers(PATHS[0]) == {status}, KNOWN_FOR_S, f"the end of {user}'s session")
    assert all(answers(path) == {status} for path in PATHS)
    assert airflow.get(PATHS[0], user=user).status_code == status
    with airflow.session(user) as session:
        page = session.get("/job_logs/", headers={"accept": "text/html"})
    assert page.status_code == (302 if status == 401 else 403)
