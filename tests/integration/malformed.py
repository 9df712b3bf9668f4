"""Answers that no SQL Server gives, each made of what the stand-in answered to the source query or to the login."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable

from sandbox.tds import tokens
from sandbox.tds.encoders import RowEncoder
from sandbox.tds.engine import ServerMessage
from sandbox.tds.scripted_engine import make_column
from tests.integration.erp import COLUMN_TYPES, order
from tests.integration.raw_server import Conversation, Reply, make_packet, make_packets

Change = Callable[[bytes], Reply]
Flood = Callable[[socket.socket], None]

INFORMATION = tokens.message(ServerMessage(0, 0, 1, "x" * 100), "server")
MORE_DONE = tokens.done(tokens.DONE_MORE)
PLP_UNKNOWN_LENGTH = b"\xfe" + b"\xff" * 7


def change_answer(conversation: Conversation, ending: str, change: Change) -> dict[str, Reply]:
    """Return the changed answer to what ends in these words, by what was asked."""
    [asked] = [asked for asked in conversation if asked.endswith(ending)]
    return {asked: change(conversation[asked])}


def stay_silent(connection: socket.socket) -> None:
    """Wait until the client leaves."""
    connection.recv(1)


def drip(data: bytes) -> Flood:
    """Send a byte every now and then, over and over, always sooner than any timeout."""

    def send(connection: socket.socket) -> None:
        while True:
            for byte in data:
                connection.sendall(bytes((byte,)))
                time.sleep(0.05)

    return send


def flood(beginning: bytes, again: bytes) -> Flood:
    """Send the beginning of a message, then packets of these tokens as long as somebody takes them."""

    def send(connection: socket.socket) -> None:
        connection.sendall(make_packet(beginning, status=0))
        packet = make_packet(again, status=0)
        while True:
            connection.sendall(packet * max(1, 65_536 // len(packet)))

    return send


def header(payload: bytes, *, length: int | None = None, kind: int = 4, status: int = 1) -> bytes:
    """Return the payload in one packet whose header says something else."""
    size = 8 + len(payload) if length is None else length
    return struct.pack(">BBHHBB", kind, status, size, 0, 1, 0) + payload


def columns_of(**types: str) -> bytes:
    """Return the contract's COLMETADATA with some other types."""
    return tokens.column_metadata([make_column(name, kind) for name, kind in (COLUMN_TYPES | types).items()])


def column_count(payload: bytes, count: int) -> bytes:
    return make_packets(payload[:1] + struct.pack("<H", count) + payload[3:])


def endless_value(_payload: bytes) -> Flood:
    return flood(long_row(PLP_UNKNOWN_LENGTH), CHUNK)


def cut_extension(_payload: bytes) -> bytes:
    """Return an answer that breaks off within FEATUREEXTACK ([MS-TDS] 2.2.7.11)."""
    return make_packet(b"\xae", status=0)


def odd_value(type_info: bytes, value: bytes) -> bytes:
    """Return a reply with one order, whose customer has a name of that TYPE_INFO and that value."""
    columns, row = b"", b"\xd1"
    for name, usual in order().items():
        column = make_column(name, COLUMN_TYPES[name])
        if name == "customer_name":
            columns += struct.pack("<IH", 0, 1) + type_info + bytes((len(name),)) + name.encode("utf-16-le")
            row += value
        else:
            columns += tokens.column_metadata([column])[3:]
            row += RowEncoder([(column.type, True)]).encode([[usual]])[0][1:]
    head = b"\x81" + struct.pack("<H", len(COLUMN_TYPES))
    return make_packets(head + columns + row + tokens.done(rows=1, command=0xC1))


def garbage(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def long_row(beginning: bytes) -> bytes:
    """Return what comes before the chunks of a row whose first value, an nvarchar(max), has no end."""
    return columns_of(order_number="nvarchar(max)") + b"\xd1" + beginning


CHUNK = struct.pack("<I", 4000) + "aç".encode("utf-16-le") * 1000

PACKETS: dict[str, Change] = {
    "cut in the middle": lambda payload: make_packets(payload)[: len(payload) // 2],
    "cut in the header": lambda payload: make_packets(payload)[:5],
    "nothing at all": lambda _payload: b"",
    "length 0": lambda payload: header(payload, length=0),
    "length 7": lambda payload: header(payload, length=7),
    "length 8": lambda payload: header(payload, length=8),
    "length too small": lambda payload: header(payload, length=100),
    "length too big": lambda payload: header(payload, length=len(payload) + 100),
    "length 65535": lambda payload: header(payload, length=65_535),
    "end of message too early": lambda payload: make_packet(payload[:200]) + make_packet(payload[200:]),
}
TOKENS: dict[str, Change] = {
    "unknown token first": lambda payload: make_packets(b"\x99" + payload),
    "token 0 first": lambda payload: make_packets(b"\x00" + payload),
    "unknown token last": lambda payload: make_packets(payload[:-13] + b"\x99\x01\x00x" + payload[-13:]),
    "no DONE": lambda payload: make_packets(payload[:-13]),
    "DONE cut off": lambda payload: make_packets(payload[:-5]),
    "DONE says more": lambda payload: make_packets(payload[:-13] + tokens.done(tokens.DONE_MORE, 3, 0xC1)),
    "INFO too long": lambda payload: make_packets(b"\xab\xff\xff" + INFORMATION[3:] + payload),
    "INFO without contents": lambda payload: make_packets(b"\xab\x00\x00" + payload),
    "ERROR of nothing": lambda payload: make_packets(b"\xaa\x00\x00" + payload),
    "ENVCHANGE too long": lambda payload: make_packets(b"\xe3\xff\xff\x01\x02" + payload),
    "ORDER of too many columns": lambda payload: make_packets(b"\xa9\xff\xff" + payload),
    "TVP row": lambda payload: make_packets(b"\x01" * 50 + payload),
    "row before its columns": lambda _payload: make_packets(b"\xd1" * 40),
    "one column more": lambda payload: column_count(payload, len(COLUMN_TYPES) + 1),
    "one column less": lambda payload: column_count(payload, len(COLUMN_TYPES) - 1),
    "no column": lambda payload: column_count(payload, 0),
    "32767 columns": lambda payload: column_count(payload, 0x7FFF),
    "32768 columns": lambda payload: column_count(payload, 0x8000),
    "columns not described": lambda payload: column_count(payload, 0xFFFF),
    "unknown type": lambda _payload: odd_value(b"\x99", b"\x01"),
    "decimal of precision 77": lambda _payload: odd_value(b"\x6a\x21\x4d\x00", b"\x21\x01" + b"\xff" * 32),
    "decimal of precision 255": lambda _payload: odd_value(b"\x6a\x11\xff\xff", b"\x11\x01" + b"\xff" * 16),
    "decimal of 254 bytes": lambda _payload: odd_value(b"\x6a\x11\x26\x00", b"\xff\x01" + b"\xff" * 254),
    "decimal of scale 255": lambda _payload: odd_value(b"\x6a\x11\x26\xff", b"\x11\x01" + b"\xff" * 16),
    "date of four bytes": lambda _payload: odd_value(b"\x28", b"\x04\x01\x02\x03\x04"),
    "date of the year 45,000": lambda _payload: odd_value(b"\x28", b"\x03\xff\xff\xff"),
    "time of day 30": lambda _payload: odd_value(b"\x2a\x07", b"\x08" + b"\xff" * 8),
    "datetime2 of scale 9": lambda _payload: odd_value(b"\x2a\x09", b"\x08" + bytes(8)),
    "datetime of the year 5,000,000": lambda _payload: odd_value(b"\x6f\x08", b"\x08" + b"\xff\xff\xff\x7f" * 2),
    "offset of 30,000 minutes": lambda _payload: odd_value(b"\x2b\x07", b"\x0a" + bytes(8) + b"\x30\x75"),
    "guid of one byte": lambda _payload: odd_value(b"\x24\x10", b"\x01x"),
    "text of a code page that does not exist": lambda _payload: odd_value(
        b"\xa7\x08\x00" + b"\xff" * 5, b"\x03\x00a\x80b"
    ),
    "large text of 2 to the 62 bytes": lambda _payload: odd_value(
        b"\xe7\xff\xff" + bytes(5), struct.pack("<QI", 2**62, 4) + b"a\x00b\x00" + bytes(4)
    ),
    "chunk of 4 GB": lambda _payload: odd_value(
        b"\xe7\xff\xff" + bytes(5), PLP_UNKNOWN_LENGTH + b"\xff" * 4 + b"a\x00b\x00" + bytes(4)
    ),
    "blob of 2 GB": lambda _payload: odd_value(
        b"\x22\xff\xff\xff\x7f\x00\x00", b"\x10" + bytes(24) + b"\xff\xff\xff\x7f" + b"abc"
    ),
}
# What a driver may read all the same: whole rows in odd packets, and values of another size than their column has.
FORGIVEN: dict[str, Change] = {
    "no end of message": lambda payload: header(payload, status=0),
    "to be ignored": lambda payload: header(payload, status=3),
    "all status bits": lambda payload: header(payload, status=0xFF),
    "of a batch": lambda payload: header(payload, kind=1),
    "of a login": lambda payload: header(payload, kind=0x10),
    "of type 0": lambda payload: header(payload, kind=0),
    "of type 255": lambda payload: header(payload, kind=0xFF),
    "many empty packets first": lambda payload: make_packet(b"", status=0) * 1000 + make_packets(payload),
    "INFO too short": lambda payload: make_packets(b"\xab\x05\x00" + INFORMATION[3:] + payload),
    "ENVCHANGE of the packet size": lambda payload: make_packets(tokens.packet_size_change(7, 4096) + payload),
    "LOGINACK in the middle": lambda payload: make_packets(
        tokens.login_acknowledgement("x", (1, 2, 3), 0x70000000) + payload
    ),
    "integer of three bytes": lambda _payload: odd_value(b"\x26\x04", b"\x03\x01\x02\x03"),
    "integer of 255 bytes": lambda _payload: odd_value(b"\x26\x04", b"\xff" + bytes(255)),
    "integer type of 255 bytes": lambda _payload: odd_value(b"\x26\xff", b"\xff" + bytes(255)),
    "decimal of precision 39": lambda _payload: odd_value(b"\x6a\x11\x27\x00", b"\x11\x01" + b"\xff" * 16),
    "decimal beyond its precision": lambda _payload: odd_value(b"\x6a\x11\x01\x00", b"\x11\x01" + b"\xff" * 16),
    "text longer than its column": lambda _payload: odd_value(
        b"\xe7\x08\x00" + bytes(5), b"\x00\x10" + b"a\x00" * 2048
    ),
    "text of an odd number of bytes": lambda _payload: odd_value(b"\xe7\x08\x00" + bytes(5), b"\x03\x00a\x00b"),
    "large text of another length": lambda _payload: odd_value(
        b"\xe7\xff\xff" + bytes(5), struct.pack("<QI", 100, 4) + b"a\x00b\x00" + bytes(4)
    ),
}
ENDLESS_VALUE = "value that never ends"
ENDLESS: dict[str, Change] = {
    ENDLESS_VALUE: endless_value,
    "messages": lambda _payload: flood(b"", INFORMATION * 20),
    "messages behind the rows": lambda payload: flood(payload[:-13] + MORE_DONE, INFORMATION * 20),
    "DONE": lambda _payload: flood(b"", MORE_DONE * 200),
    "empty packets": lambda _payload: flood(b"", b""),
    "drip of a message": lambda _payload: drip(make_packet(INFORMATION, status=0)),
    "drip of a row": lambda _payload: drip(make_packet(long_row(PLP_UNKNOWN_LENGTH) + CHUNK, status=0)),
}
# The last batch of those that pymssql sends by itself once it is let in, and the first one that we send.
AFTER_LOGIN = "SET TEXTSIZE 2147483647;"
FIRST_STATEMENT = "SET LOCK_TIMEOUT 15000; SET DEADLOCK_PRIORITY LOW;"
STALLED_LOGIN: dict[str, tuple[str, Change]] = {
    "silence for PRELOGIN": ("PRELOGIN", lambda _payload: stay_silent),
    "silence for LOGIN7": ("LOGIN7", lambda _payload: stay_silent),
    "silence after the login": (AFTER_LOGIN, lambda _payload: stay_silent),
    "silence for USE": ("use [ERP]", lambda _payload: stay_silent),
    "drip for PRELOGIN": ("PRELOGIN", lambda payload: drip(make_packet(payload))),
    "drip for LOGIN7": ("LOGIN7", lambda payload: drip(make_packet(payload, status=0))),
    "flood for LOGIN7": ("LOGIN7", lambda _payload: flood(b"", INFORMATION * 20)),
}
FAILED_LOGIN: dict[str, tuple[str, Change]] = {
    "garbage for PRELOGIN": ("PRELOGIN", lambda payload: make_packet(garbage(1, len(payload)))),
    "garbage for LOGIN7": ("LOGIN7", lambda payload: make_packet(garbage(2, len(payload)))),
    "bare garbage": ("PRELOGIN", lambda _payload: garbage(3, 1000)),
    "zeros": ("PRELOGIN", lambda _payload: bytes(1000)),
    "HTTP": ("PRELOGIN", lambda _payload: b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nBad"),
    "TLS": ("PRELOGIN", lambda _payload: b"\x16\x03\x03\x00\x48\x02\x00\x00\x44\x03\x03" + bytes(64)),
    "SSH": ("PRELOGIN", lambda _payload: b"SSH-2.0-OpenSSH_9.2\r\n"),
    "PRELOGIN with offsets beyond its end": (
        "PRELOGIN", lambda payload: make_packet(payload[:1] + b"\xff\xf0\xff\xff" + payload[5:]),
    ),
    "LOGIN7 answered by PRELOGIN": ("LOGIN7", lambda _payload: make_packet(b"\x00\x00\x06\x00\x06\xff" + bytes(6))),
    "LOGIN7 answered by DONE": ("LOGIN7", lambda _payload: make_packet(tokens.done())),
    "LOGINACK of TDS 0": (
        "LOGIN7", lambda _payload: make_packet(tokens.login_acknowledgement("x", (1, 2, 3), 0) + tokens.done()),
    ),
    "login cut off": ("LOGIN7", lambda payload: make_packet(payload)[: len(payload) // 2]),
    "hang-up for LOGIN7": ("LOGIN7", lambda _payload: b""),
    "hang-up after the login": (AFTER_LOGIN, lambda _payload: b""),
}  # fmt: skip
# mssql-python is stricter with some of these, and forgives two.
REFUSED_BY_MSSQL_PYTHON = {
    "many empty packets first",
    "ENVCHANGE of the packet size",
    "LOGINACK in the middle",
    "integer of three bytes",
    "integer of 255 bytes",
    "integer type of 255 bytes",
    "decimal of precision 39",
    "large text of another length",
    "messages",
    "DONE",
    "empty packets",
    "flood for LOGIN7",
}
READ_BY_MSSQL_PYTHON = {"PRELOGIN with offsets beyond its end", "INFO too long"}
