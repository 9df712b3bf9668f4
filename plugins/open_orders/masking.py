"""Secrets of connections, kept out of all that is written down, in every spelling that a message may give them.

Airflow's own masker knows a password as it stands in the connection, and none of fewer than five characters. A driver,
a server or an exception may repeat it quoted for an address, for SQL, for JSON or by Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

# Airflow's own masker; airflow.sdk.log imports it without listing it.
from airflow.sdk.log import mask_secret
from airflow.sdk.log import redact as redact_known  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from airflow.sdk import Connection

MASK = "***"
# As in Airflow: a shorter one would be found inside of ordinary words. Here it still counts where it is a word.
ANYWHERE = 5
# Of one or two characters none is masked: that protects nothing, and "1" is in every message.
SHORTEST = 3

# What nobody would choose for a name or a word: long, or letters and digits mixed. No host, no file.
_TOKEN = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[^.]{8,}|[^.\s]{16,}")
_PASSWORD = re.compile(r"//[^/@:]*:([^/@]+)@")

_spellings: set[str] = set()


def hide_secrets(connection: Connection) -> None:
    """Have the password and the secret extras of a connection masked from now on, here and in Airflow's own logs."""
    _hide(_secrets_of(connection))


def _hide(secrets: Iterable[str]) -> None:
    for secret in secrets:
        for spelling in _spell(secret) - _spellings:
            _spellings.add(spelling)
            mask_secret(spelling)


def hide_address(address: str) -> None:
    """Have an address masked that is a secret or holds one: the whole, its password, and all that looks like a token.

    The address of a webhook has its token in the path, one of Apprise even where a host would be.
    """
    # Whatever it is: one that is no address was meant to be one.
    target = address.partition("://")[2].partition("?")[0]
    passwords = _PASSWORD.findall(address)
    tokens = [piece for piece in map(unquote, re.split(r"[/@:?&=#]", address)) if _TOKEN.fullmatch(piece)]
    _hide([address, *([target] if "/" in target else []), *map(unquote, passwords), *tokens])


def redact(text: str) -> str:
    """Return the text without the secrets that this process knows of."""
    # The longest first: one may be the beginning of another.
    for spelling in sorted(_spellings, key=len, reverse=True):
        if len(spelling) >= ANYWHERE:
            text = text.replace(spelling, MASK)
        elif spelling in text:
            text = re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", MASK, text)
    return str(redact_known(text))


def redact_error(error: BaseException) -> None:
    """Take the secrets out of an error's own words, and its causes', before somebody writes its traceback down."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        found.args = tuple(_redact_argument(argument) for argument in found.args)
        found = found.__cause__ or found.__context__


def _redact_argument(argument: Any) -> Any:
    if isinstance(argument, str):
        return redact(argument)
    if isinstance(argument, bytes):
        return redact(argument.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if isinstance(argument, tuple):
        return tuple(_redact_argument(part) for part in argument)
    return argument


def _secrets_of(connection: Connection) -> Iterator[str]:
    if connection.password:
        yield connection.password
    yield from _secrets_in(connection.extra_dejson)


def _secrets_in(extras: Any, name: str = "") -> Iterator[str]:
    """Yield the texts in extras whose names Airflow takes for those of secrets: `sslpassword`, `access_token`."""
    if isinstance(extras, dict):
        for key, value in extras.items():
            yield from _secrets_in(value, str(key))
    elif isinstance(extras, str) and extras and redact_known("x", name) == MASK:
        yield extras


def _spell(secret: str) -> set[str]:
    """Return the ways to write a secret down."""
    found = {
        secret,
        # Messages of several lines are written on one.
        " ".join(secret.split()),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        # In Python's, JSON's and SQL's quotes, and in those of libpq's connection strings.
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.replace("'", "''"),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
    }
    return {spelling for spelling in found if len(spelling) >= SHORTEST}
