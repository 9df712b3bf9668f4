"""What every answer carries, of whatever kind, and what no address can put into one."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from open_orders.web import job_logs_pages
from open_orders.web.bare_addresses import BareAddresses
from open_orders.web.security_headers import CONTENT_SECURITY_POLICY, HEADERS
from open_orders.web.static_files import STATIC_DIR
from tests.web.raw_requests import RawAnswer, ask, run_apart
from tests.web.web_client import WebClient


def fetch(app: Any, path: str, query: str = "", accept: str = "text/html") -> RawAnswer:
    return run_apart(ask, app, path, query, accept)


def assert_safe(status: int, answer: Any) -> None:
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "set-cookie" not in answer.headers


def test_nobody_else_can_frame_a_page_or_feed_it_scripts() -> None:
    directives = dict(directive.strip().split(" ", 1) for directive in CONTENT_SECURITY_POLICY.split(";"))
    assert directives["default-src"] == directives["base-uri"] == "'none'"
    for name in ("frame-ancestors", "form-action", "script-src", "connect-src"):
        assert directives[name] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert HEADERS["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (200, "GET", "/job_logs/"),
        (200, "GET", "/open_orders/export.csv"),
        (200, "GET", "/job_logs/static/base.js"),
        (404, "GET", "/job_logs/static/nothing.js"),
        (404, "GET", "/job_logs/20000101_000000"),
        (404, "GET", "/open_orders/nothing/here"),
        (404, "GET", "/open_orders/api/nothing"),
        (405, "POST", "/job_logs/"),
        (405, "OPTIONS", "/open_orders/"),
        (400, "GET", "/open_orders/?sort=nothing"),
        (422, "GET", "/job_logs/x?line=0"),
    ],
)
def test_answer_carries_the_headers(web: WebClient, status: int, method: str, path: str) -> None:
    assert_safe(status, web.http.request(method, path, headers={"accept": "text/html"}))


def test_answers_to_strangers_carry_the_headers(web: WebClient) -> None:
    web.reader.signed_in = False
    assert_safe(302, web.get("/job_logs/"))
    assert_safe(401, web.get("/job_logs/", accept="*/*"))
    for _ in range(5):
        web.get_with_password("/job_logs/", "wrong")
    assert_safe(429, web.get_with_password("/job_logs/", "wrong"))


def test_failures_carry_the_headers(web: WebClient, root: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", "postgres://nobody@127.0.0.1:1/orders")
    assert_safe(503, web.get("/job_logs/"))
    monkeypatch.setattr(job_logs_pages, "read", lambda: 1 / 0)
    with TestClient(root, raise_server_exceptions=False) as client:
        assert_safe(500, client.get("/job_logs/", headers={"accept": "text/html"}))


def test_redirect_to_the_slash_carries_the_headers() -> None:
    app = FastAPI()
    app.add_middleware(BareAddresses)
    with TestClient(app, follow_redirects=False) as client:
        assert_safe(307, client.get("/job_logs"))


def test_cached_file_carries_the_headers(web: WebClient) -> None:
    etag = web.get("/job_logs/static/base.js").headers["etag"]
    assert_safe(304, web.get("/job_logs/static/base.js", **{"if-none-match": etag}))
    assert_safe(206, web.get("/job_logs/static/base.js", range="bytes=0-9"))


@pytest.mark.parametrize(
    "address",
    [
        "/job_logs/%0D%0ASet-Cookie:%20a=b",
        "/job_logs/x?back=%0D%0ASet-Cookie:%20a=b",
        "/job_logs/x?\xff\xfe=\x80",
        "/job_logs/%FF%FE",
        "/job_logs/\\\\evil.example",
        "/job_logs/%2F%2Fevil.example",
        "/job_logs/?next=//evil.example&next=x%23y",
        "/job_logs/%3Fnext=x%23",
    ],
)
def test_way_back_from_the_login_is_one_header_and_one_path_of_ours(
    web: WebClient, root: FastAPI, address: str
) -> None:
    web.reader.signed_in = False
    answer = fetch(root, *address.split("?", 1))
    if answer.status == 404:
        return
    assert answer.status == 302
    location = answer.headers["location"]
    assert location.isascii()
    assert location.isprintable()
    target = urlsplit(location)
    assert (target.scheme, target.netloc, target.path, target.fragment) == ("", "", "/api/v2/auth/login", "")
    [back] = parse_qs(target.query)["next"]
    assert back.startswith("/job_logs/")


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "..%2Fapp.py",
        "%2E%2E/app.py",
        "%2e%2e%2fapp.py",
        "....//app.py",
        "..%5Capp.py",
        "..%252Fapp.py",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "base.css/../../app.py",
        "base.css%00.js",
        "%00",
        "..%00/app.py",
        "x" * 5000,
        "%FF",
        "",
        ".",
        "..",
        "C:%5Cboot.ini",
        "~root",
    ],
)
def test_static_files_are_those_of_the_folder_alone(root: FastAPI, name: str) -> None:
    for area in ("/job_logs", "/open_orders"):
        answer = fetch(root, f"{area}/static/{name}")
        assert answer.status in (404, 405)
        assert b"import" not in answer.body
        assert b"root:" not in answer.body


def test_static_folder_holds_no_link_and_nothing_but_styles_and_scripts() -> None:
    for file in STATIC_DIR.rglob("*"):
        assert file.is_file()
        assert not file.is_symlink()
        assert file.suffix in (".css", ".js")
