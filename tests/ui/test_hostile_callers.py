"""Who tries to get in, or to make somebody who is in do something: a real api-server, reached as an attacker would."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest

from tests.ui.airflow_client import Airflow

ELSEWHERE = [
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https://evil.example/job_logs/",
    "https:\\\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/job_logs/\r\nLocation: https://evil.example",
    "http://evil.example@127.0.0.1/",
    "%2F%2Fevil.example",
]


def is_elsewhere(airflow: Airflow, base: httpx.URL, location: str) -> bool:
    """Whether a browser that is sent to a location leaves Airflow."""
    target = urlsplit(urljoin(str(base), location.replace("\\", "/")))
    return f"{target.scheme}://{target.netloc}" != airflow.url


@pytest.mark.parametrize("target", ELSEWHERE)
def test_login_is_no_way_to_elsewhere(airflow: Airflow, target: str) -> None:
    with airflow.client() as client:
        answer = client.get(f"/api/v2/auth/login?next={quote(target, safe='')}")
        while answer.is_redirect:
            location = answer.headers["location"]
            assert not is_elsewhere(airflow, answer.url, location)
            answer = client.get(urljoin(str(answer.url), location))
        assert answer.status_code in (200, 400)


# Airflow's login form takes five attempts in 40 seconds.
@pytest.mark.parametrize("target", ["//evil.example/", "https:\\\\evil.example"])
def test_login_form_brings_nobody_elsewhere_and_its_cookie_is_for_this_site_alone(
    airflow: Airflow, target: str
) -> None:
    cookies: list[str] = []
    with airflow.client() as client:
        form = client.get(f"/auth/login/?next={quote(target, safe='')}")
        csrf = form.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        fields = {"username": "reader", "password": airflow.passwords["reader"], "csrf_token": csrf}
        answer = client.post(form.url, data=fields)
        while answer.is_redirect:
            cookies += [cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith("_token=ey")]
            assert not is_elsewhere(airflow, answer.url, answer.headers["location"])
            answer = client.get(urljoin(str(answer.url), answer.headers["location"]))
    # What protects "Run now": another site's form or script comes without the session.
    assert cookies
    assert [cookie for cookie in cookies if "samesite=lax" not in cookie.lower()] == []


def test_form_of_another_site_triggers_nothing_even_with_a_session(airflow: Airflow) -> None:
    runs = "/api/v2/dags/sync_open_orders/dagRuns"
    evil = {"origin": "https://evil.example", "content-type": "text/plain"}
    with airflow.session("admin") as client:
        # What a form can send without asking first; JSON needs the permission of CORS, which nobody has.
        assert client.post(runs, content='{"logical_date": null}', headers=evil).status_code == 422
        asked = client.options(
            runs,
            headers={"origin": evil["origin"], "access-control-request-method": "POST",
                     "access-control-request-headers": "content-type"},
        )  # fmt: skip
    assert "access-control-allow-origin" not in asked.headers


def test_claimed_address_gives_no_more_guesses(airflow: Airflow) -> None:
    statuses = []
    with airflow.client(auth=("nobody", "wrong")) as client:
        for number in range(6):
            claims = {"x-forwarded-for": f"10.0.0.{number}", "x-real-ip": f"10.0.0.{number}"}
            statuses.append(client.get("/job_logs/api/activity", headers=claims).status_code)
    assert statuses == [401] * 5 + [429]
