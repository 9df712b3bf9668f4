"""Who gets in, on every route of both apps."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.routing import APIRoute

from open_orders.web import auth
from open_orders.web.app import build_job_logs_app, build_open_orders_app
from open_orders.web.auth import require
from open_orders.web.security_headers import HEADERS
from tests.web.web_client import PASSWORD, WebClient

AREAS = {"/job_logs": "Job Logs", "/open_orders": "Open Orders"}
APPS = {"/job_logs": build_job_logs_app(), "/open_orders": build_open_orders_app()}
ROUTES = [(prefix, route) for prefix, app in APPS.items() for route in app.routes if isinstance(route, APIRoute)]
PATHS = [prefix + re.sub(r"\{[^}]*\}", "20261124_094000", route.path) for prefix, route in ROUTES]
PAGES = [path for path in PATHS if "/api/" not in path]
every_path = pytest.mark.parametrize("path", PATHS)


def area(path: str) -> str:
    return AREAS[f"/{path.split('/')[1]}"]


@pytest.mark.parametrize(("prefix", "route"), ROUTES, ids=PATHS)
def test_route_only_reads_and_asks_who_it_is(prefix: str, route: APIRoute) -> None:
    assert route.methods == {"GET"}
    assert require(AREAS[prefix]) in {dependency.call for dependency in route.dependant.dependencies}


@every_path
def test_anonymous_program_gets_401(web: WebClient, path: str) -> None:
    web.reader.signed_in = False
    answer = web.get(path, accept="*/*")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Basic ")


@every_path
def test_anonymous_browser_is_sent_to_the_login_and_the_api_stays_401(web: WebClient, path: str) -> None:
    web.reader.signed_in = False
    answer = web.get(f"{path}?a=b&c=d")
    if path not in PAGES:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        return
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    assert (target.netloc, target.path) == ("", "/api/v2/auth/login")
    assert parse_qs(target.query) == {"next": [f"{path}?a=b&c=d"]}


@every_path
def test_wrong_password_gets_401_even_with_a_session(web: WebClient, path: str) -> None:
    answer = web.get_with_password(path, "wrong")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


@every_path
def test_without_the_permission_403_names_it(web: WebClient, path: str) -> None:
    web.reader.permissions.discard(area(path))
    for answer in (web.get(path), web.get_with_password(path, PASSWORD)):
        assert answer.status_code == 403
        assert area(path) in answer.text
        assert "can read" in answer.text
        kind = "text/html; charset=utf-8" if path in PAGES else "application/problem+json"
        assert answer.headers["content-type"] == kind


@every_path
def test_with_the_permission_only_it_is_needed(web: WebClient, path: str) -> None:
    web.reader.permissions.intersection_update({area(path)})
    for answer in (web.get(path), web.get_with_password(path, PASSWORD)):
        # The database is empty: no such job log (404), and nothing that a monitor would call healthy (503).
        assert answer.status_code in (200, 404) or path.endswith("/api/health")


@every_path
def test_every_answer_carries_the_security_headers(web: WebClient, path: str) -> None:
    for answer in (web.get(path), web.get_with_password(path, "wrong")):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_page_has_nothing_of_another_host_and_nothing_inline(web: WebClient, path: str) -> None:
    answer = web.get(path)
    if not answer.headers["content-type"].startswith("text/html"):
        return
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text) == []
    assert re.findall(r"<[^>]+ (?:style|on\w+)=", answer.text) == []
    assert re.findall(r"<script(?![^>]* src=)", answer.text) == []
    assert "<style" not in answer.text


@every_path
def test_nothing_changes_state(web: WebClient, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert web.http.request(method, path).status_code == 405


@every_path
def test_head_is_answered_as_get_without_the_body(web: WebClient, path: str) -> None:
    for headers in ({"accept": "text/html"}, {"authorization": "Basic !"}):
        head = web.http.head(path, headers=headers)
        got = web.http.get(path, headers=headers)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]


@every_path
def test_open_page_whose_session_ended_does_not_make_the_browser_ask_for_a_password(web: WebClient, path: str) -> None:
    web.reader.signed_in = False
    answer = web.get(path, **{"x-requested-with": "fetch"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("path", ["/job_logs/x/", "/job_logs/api/health/", "/open_orders/changes/"])
def test_slash_too_many_leads_nowhere_least_of_all_to_the_host_of_the_request(web: WebClient, path: str) -> None:
    web.reader.signed_in = False
    answer = web.get(path, host="evil.example")
    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/%2F%2Fevil.example/"])
def test_login_never_comes_back_to_another_host(web: WebClient, path: str) -> None:
    web.reader.signed_in = False
    answer = web.get(f"/job_logs{path}", host="evil.example")
    assert answer.status_code in (302, 404)
    if answer.status_code == 302:
        target = urlsplit(answer.headers["location"])
        assert target.netloc == ""
        assert parse_qs(target.query)["next"][0].startswith("/job_logs")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic YWRhOg==", "Basic OnB3", "Basic /w==", "Digest x"])
def test_malformed_credentials_get_401(web: WebClient, header: str) -> None:
    web.reader.signed_in = False
    assert web.get("/job_logs/api/docs", authorization=header).status_code == 401


def test_wrong_passwords_are_braked_for_that_user_only(web: WebClient) -> None:
    for _ in range(5):
        assert web.get_with_password("/job_logs/api/panel", "wrong").status_code == 401
    braked = web.get_with_password("/job_logs/api/panel", PASSWORD)
    assert braked.status_code == 429
    assert int(braked.headers["retry-after"]) > 0
    assert web.http.get("/job_logs/api/panel", auth=("grace", PASSWORD)).status_code == 200


def test_guessing_from_an_address_does_not_shut_out_who_signed_in_from_there(web: WebClient) -> None:
    path = "/job_logs/api/activity"
    assert web.get_with_password(path, PASSWORD).status_code == 200
    for number in range(20):
        assert web.http.get(path, auth=(f"guess{number}", "wrong")).status_code == 401
    assert web.http.get(path, auth=("guess", "wrong")).status_code == 429
    assert web.get_with_password(path, PASSWORD).status_code == 200
    # But their own password is guarded as before.
    for _ in range(5):
        assert web.get_with_password(path, "wrong").status_code == 401
    assert web.get_with_password(path, PASSWORD).status_code == 429


def test_guesses_at_the_same_time_are_braked_too(web: WebClient, monkeypatch: pytest.MonkeyPatch) -> None:
    guesses = 20
    all_at_once = Barrier(guesses, timeout=0.5)
    checked: list[str] = []

    def check(_headers: object, username: str, _password: str) -> None:
        checked.append(username)
        with suppress(BrokenBarrierError):
            all_at_once.wait()

    monkeypatch.setattr(auth, "_check_password", check)
    with ThreadPoolExecutor(guesses) as threads:
        answers = list(threads.map(lambda _: web.get_with_password("/job_logs/api/activity", "wrong"), range(guesses)))
    assert {answer.status_code for answer in answers} == {401, 429}
    assert len(checked) < 10


def test_another_spelling_of_a_name_gives_no_more_guesses(web: WebClient) -> None:
    for name in ("ada", "Ada", "ADA", "aDa", "adA"):
        assert web.http.get("/job_logs/api/activity", auth=(name, "wrong")).status_code == 401
    assert web.http.get("/job_logs/api/activity", auth=("AdA", "wrong")).status_code == 429


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/"])
def test_static_files_are_only_those_of_the_folder(web: WebClient, path: str) -> None:
    assert web.get(f"/job_logs{path}").status_code in (404, 405)


def test_unknown_address_is_a_page_for_people_and_problem_json_for_programs(web: WebClient) -> None:
    page = web.get("/open_orders/api-of-nothing/at/all")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    problem = web.get("/open_orders/api/nothing")
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
    assert problem.json()["status"] == 404


@pytest.mark.parametrize("path", ["/job_logs/verdict"])
def test_unreachable_database_is_a_page_of_its_own(web: WebClient, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", "postgres://nobody:secret@127.0.0.1:1/orders")
    answer = web.get(path)
    assert answer.status_code == 503
    assert "orders database cannot be reached" in answer.text
    assert "secret" not in answer.text
