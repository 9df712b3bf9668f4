"""What guessing passwords over HTTP Basic comes to, whatever address the guesses claim to come from."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest
from airflow.api_fastapi.app import get_auth_manager
from limits.storage import MemoryStorage

from open_orders.web.sign_in_failures import PER_USER, PER_USER_AND_ADDRESS
from tests.web.web_client import PASSWORD, WebClient

PATH = "/job_logs/api/activity"
HEADERS = ("x-forwarded-for", "x-real-ip", "forwarded", "x-client-ip", "cf-connecting-ip", "true-client-ip")


class BrokenStorage(MemoryStorage):
    """A storage that does not answer, and says its address."""

    STORAGE_SCHEME: ClassVar = ["broken"]

    def get(self, _key: str) -> int:
        raise ValueError("redis://:topsecret@10.0.0.9 refused the connection")


def settings() -> dict[str, Any]:
    """Return Flask-AppBuilder's settings, as webserver_config.py makes them."""
    manager: Any = get_auth_manager()
    found: dict[str, Any] = manager.flask_app.config
    return found


@pytest.mark.parametrize("header", HEADERS)
def test_address_that_a_request_claims_gives_no_more_guesses(web: WebClient, header: str) -> None:
    for number in range(PER_USER_AND_ADDRESS.amount):
        answer = web.http.get(PATH, auth=("ada", "wrong"), headers={header: f"for=10.0.0.{number}"})
        assert answer.status_code == 401
    assert web.http.get(PATH, auth=("ada", "wrong"), headers={header: "10.0.0.99"}).status_code == 429


def test_address_that_a_proxy_believed_gives_a_user_so_many_guesses_and_no_more(web: WebClient) -> None:
    transport: Any = web.http._transport
    for number in range(PER_USER.amount):
        transport.client = (f"10.0.{number}.1", 1)
        assert web.http.get(PATH, auth=("ada", "wrong")).status_code == 401
    transport.client = ("10.1.0.1", 1)
    assert web.http.get(PATH, auth=("ada", PASSWORD)).status_code == 429


def test_password_is_not_looked_at_while_failures_cannot_be_counted(
    web: WebClient, caplog: pytest.LogCaptureFixture
) -> None:
    settings()["RATELIMIT_STORAGE_URI"] = "broken://"
    with caplog.at_level(logging.DEBUG):
        answer = web.http.get(PATH, auth=("ada", "wrong"))
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    get_auth_manager().create_token.assert_not_called()  # type: ignore[attr-defined]
    assert "topsecret" not in answer.text + caplog.text
    assert "Wrong passwords cannot be counted" in caplog.text
    # A session needs no password.
    assert web.get(PATH).status_code == 200
