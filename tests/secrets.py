"""Passwords for tests, what a careless program says of them, and whether a text has anything left of one."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus, urlsplit

# Quoting for an address, JSON, SQL and patterns changes the first; the second is too short for Airflow's masker.
SECRETS = ["p%40ss\"w\\ord'€", "k7q"]


def said(secret: str) -> str:
    """Return a message that repeats a password in many ways."""
    ways = (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret),
        json.dumps(secret),
        f"{secret.encode()!r}",
    )
    return " ; ".join((*ways, f"reader:{secret}@erp", secret.replace("'", "''")))


def repeated(secret: str, text: str) -> list[str]:
    """Return what of a password is left in a text: any part that says something, or all of a short one."""
    parts = [re.escape(part) for part in re.split(r"\W+", secret) if len(part) > 2] or [re.escape(secret)]
    return re.findall(rf"(?<![0-9A-Za-z])(?:{'|'.join(parts)})(?![0-9A-Za-z])", text)


def address_of(dsn: str, login: str, password: str, **extra: str) -> str:
    """Return an Airflow connection, in JSON, to the database of an address, for another login."""
    address = urlsplit(dsn)
    values = {"host": address.hostname, "port": address.port, "schema": address.path[1:], "extra": extra}
    return json.dumps({"conn_type": "postgres", "login": login, "password": password, **values})
