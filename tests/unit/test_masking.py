from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from airflow.sdk import Connection

from open_orders import masking
from open_orders.masking import hide_address, hide_secrets, redact

AWKWARD = "p%40s s\"w\\or/d'€"


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what Airflow's masker is told; it does not hear of it, and no test's secrets are known to another."""
    told: list[str] = []
    monkeypatch.setattr(masking, "_spellings", set())
    monkeypatch.setattr(masking, "mask_secret", told.append)
    return told


def connection(**values: object) -> Connection:
    extra = json.dumps(values.pop("extra", None) or {})
    return Connection(conn_id="orders_db", conn_type="postgres", extra=extra, **values)  # type: ignore[arg-type]


SPELLINGS = {
    "as it is": AWKWARD,
    "path of an address": quote(AWKWARD),
    "user part of an address": quote(AWKWARD, safe=""),
    "query of an address": quote_plus(AWKWARD),
    "by Python": f"{AWKWARD!r}",
    "bytes": f"{AWKWARD.encode()!r}",
    "JSON": json.dumps({"password": AWKWARD}),
    "JSON with its letters": json.dumps(AWKWARD, ensure_ascii=False),
    "SQL": "ALTER ROLE x PASSWORD '" + AWKWARD.replace("'", "''") + "'",
    "libpq": "password='" + AWKWARD.replace("\\", "\\\\").replace("'", "\\'") + "'",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_password_is_hidden_in_every_spelling(text: str) -> None:
    hide_secrets(connection(password=AWKWARD))
    shown = redact(f"before {text} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "***" in shown
    for part in ("40s", "or/d", "or%2Fd", "€", "%E2", "u20ac"):
        assert part not in shown


def test_short_password_is_hidden_as_a_word_and_not_inside_of_others() -> None:
    hide_secrets(connection(password="abc"))
    assert redact("login failed: 'abc', password=abc; abcd, 0abc") == "login failed: '***', password=***; abcd, 0abc"


def test_password_of_two_characters_does_not_eat_the_messages() -> None:
    hide_secrets(connection(password="4"))
    assert redact("Batch 1/4: imported 4 orders") == "Batch 1/4: imported 4 orders"


def test_secret_extras_are_hidden_and_others_are_not() -> None:
    extra = {
        "sslpassword": "key's phrase",
        "nested": {"access_token": "tok-123456"},
        "sslmode": "require",
        "timeout": 5,
    }
    hide_secrets(connection(extra=extra))
    assert redact("key's phrase tok-123456 require") == "*** *** require"


def test_secret_that_begins_another_leaves_nothing_of_it() -> None:
    hide_secrets(connection(password="topsecret"))
    hide_secrets(connection(password="topsecret-of-the-web"))
    assert redact("topsecret-of-the-web topsecret") == "*** ***"


def test_airflow_hides_every_spelling_in_its_own_logs_too(told: list[str]) -> None:
    hide_secrets(connection(password=AWKWARD))
    assert {AWKWARD, quote(AWKWARD, safe=""), json.dumps(AWKWARD)[1:-1]} <= set(told)
    told.clear()
    # Each costs a question to the task's supervisor.
    hide_secrets(connection(password=AWKWARD))
    assert told == []


@pytest.mark.parametrize(
    ("address", "secrets", "plain"),
    [
        (
            "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            ["T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"],
            ["hooks.slack.com", "services"],
        ),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts", ["T1JJ3T3L2"], ["alerts", "slack"]),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", ["abcdefg_hijklmnop"], ["tgram"]),
        (
            "mailtos://airflow:p%40ss@smtp1.example.com:587?from=airflow@example.com&pass=0ther-s3cret",
            ["p@ss", "p%40ss", "0ther-s3cret"],
            ["smtp1.example.com", "airflow@example.com"],
        ),
        (
            "https://hc.example/ping/eb095278-f28d-448d-87fb-7b75c171a6aa",
            ["eb095278-f28d-448d-87fb-7b75c171a6aa", "hc.example/ping/eb095278-f28d-448d-87fb-7b75c171a6aa"],
            ["hc.example", "ping"],
        ),
        ("json://hooks.example.com/open-orders", ["json://hooks.example.com/open-orders"], ["open-orders"]),
        ("not an address", ["not an address"], ["address"]),
    ],
)
def test_address_is_masked_with_all_by_which_it_could_be_used(
    address: str, secrets: list[str], plain: list[str]
) -> None:
    hide_address(address)
    for secret in (address, *secrets):
        assert secret not in redact(f"before {secret} after")
    for word in plain:
        assert redact(f"before {word} after") == f"before {word} after"
