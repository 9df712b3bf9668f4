from __future__ import annotations

import struct

import pytest

from sandbox.tds import packets
from sandbox.tds.client_messages import BATCH_HEADERS
from sandbox.tds.procedure_calls import UnknownCallError, read_batch
from sandbox.tds.scripted_engine import ScriptedEngine, make_result
from sandbox.tds.server import StandInServer
from tests.sandbox.tds_client import BareClient, last_done

EXECUTE_SQL = struct.pack("<HHH", 0xFFFF, 10, 0)
COLLATION = bytes(5)


def text(value: str | None, name: str = "") -> bytes:
    data = b"\xff\xff" if value is None else struct.pack("<H", 2 * len(value)) + value.encode("utf-16-le")
    return parameter(name) + b"\xe7" + struct.pack("<H", 8000) + COLLATION + data


def long_text(value: str) -> bytes:
    data = value.encode("utf-16-le")
    chunks = struct.pack("<QI", len(data), len(data)) + data + bytes(4)
    return parameter("") + b"\xe7\xff\xff" + COLLATION + chunks


def number(kind: int, value: bytes, name: str = "") -> bytes:
    return parameter(name) + bytes((kind, 8, len(value))) + value


def parameter(name: str) -> bytes:
    return bytes((len(name),)) + name.encode("utf-16-le") + b"\x00"


@pytest.mark.parametrize("name", [EXECUTE_SQL, struct.pack("<H", 13) + "sp_ExecuteSql".encode("utf-16-le") + bytes(2)])
def test_statement_without_parameters(name: bytes) -> None:
    assert read_batch(name + text("SELECT 1")) == "SELECT 1"


def test_parameters_become_variables() -> None:
    definitions = "@a nvarchar(9), @b decimal(5,2), @c bigint,@d bit, @e nvarchar(max)"
    given = [
        text("it's", "@a"), number(0x26, b"", "@b"), number(0x26, struct.pack("<q", -7), "@C"),
        number(0x68, b"\x01", "@d"), text(None, "@e"),
    ]  # fmt: skip
    assert read_batch(EXECUTE_SQL + long_text("SELECT @a") + text(definitions) + b"".join(given)) == (
        "DECLARE @a nvarchar(9) = N'it''s', @b decimal(5,2) = NULL, @c bigint = -7, @d bit = 1, "
        "@e nvarchar(max) = NULL;\nSELECT @a"
    )


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (struct.pack("<HHH", 0xFFFF, 13, 0), "other than sp_executesql"),
        (EXECUTE_SQL + parameter("") + b"\x3e", "type 0x3e"),
        (EXECUTE_SQL + text("SELECT 1")[:-3], "as this one"),
        (b"", "as this one"),
    ],
)
def test_other_calls_are_a_clear_error(request_: bytes, reason: str) -> None:
    with pytest.raises(UnknownCallError, match=f"not remote procedure calls.*{reason}"):
        read_batch(request_)


def test_session_answers_a_call_as_a_batch(engine: ScriptedEngine, server: StandInServer) -> None:
    engine.script("SELECT Name FROM dbo.Things", [make_result([("Name", "varchar(9)")], [("a",), ("b",)])])
    with BareClient(server.port) as client:
        client.send(packets.RPC, BATCH_HEADERS + EXECUTE_SQL + text("SELECT Name FROM dbo.Things"))
        done = last_done(client.read_reply())
    assert done.rows == 2
    assert not done.failed
    assert list(server.sessions[-1].batches) == ["SELECT Name FROM dbo.Things"]
