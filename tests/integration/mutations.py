"""Random changes of a conversation's bytes, each decided by a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.integration.raw_server import Conversation, Reply, make_packets

# Lengths and counts at their limits, and the tokens and types of the protocol ([MS-TDS] 2.2.4, 2.2.5.4).
NUMBERS = [
    b"\x00\x00", b"\xff\xff", b"\xff\x7f", b"\x00" * 8, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80",
    b"\xff" * 8, b"\xfe" + b"\xff" * 7, b"\x00\x00\x00\x10",
]  # fmt: skip
TOKENS = bytes.fromhex("79 7c 81 88 a4 a5 a9 aa ab ac ad ae d1 d2 d3 d7 e3 e5 ec ed ee fd fe ff")
TYPES = bytes.fromhex(
    "1f 22 23 24 25 26 27 28 29 2a 2b 2d 2f 30 32 34 37 38 3a 3b 3c 3d 3e 3f 62 63 68 6a 6c 6d 6e 6f 7a 7f a5 a7 ad af"
    "e7 ef f0 f1"
)
SIZES = (1, 1, 2, 4, 8, 32)


def flip(random: Random, data: bytearray, at: int) -> None:
    data[at] ^= 1 << random.randrange(8)


def overwrite(random: Random, data: bytearray, at: int) -> None:
    data[at] = random.randrange(256)


def put_number(random: Random, data: bytearray, at: int) -> None:
    number = random.choice(NUMBERS)
    data[at : at + len(number)] = number


def put_token(random: Random, data: bytearray, at: int) -> None:
    data[at] = random.choice(TOKENS)


def change_type(random: Random, data: bytearray, at: int) -> None:
    types = [position for position, byte in enumerate(data) if byte in TYPES]
    data[random.choice(types or [at])] = random.choice(TYPES)


def delete(random: Random, data: bytearray, at: int) -> None:
    del data[at : at + random.choice(SIZES)]


def duplicate(random: Random, data: bytearray, at: int) -> None:
    data[at:at] = data[at : at + random.choice(SIZES)]


def insert(random: Random, data: bytearray, at: int) -> None:
    data[at:at] = random.randbytes(random.choice(SIZES))


def truncate(_random: Random, data: bytearray, at: int) -> None:
    del data[at:]


MUTATIONS: list[Callable[[Random, bytearray, int], None]] = [
    flip, flip, overwrite, put_number, put_number, put_token, change_type, delete, duplicate, insert, truncate,
]  # fmt: skip


def mutate(conversation: Conversation, seed: int) -> dict[str, Reply]:
    """Return changed answers, by what was asked: often the longest one, in two of five cases packet headers as well."""
    random = Random(seed)
    headers = random.random() < 0.4
    answers = {
        asked: bytearray(make_packets(payload) if headers else payload) for asked, payload in conversation.items()
    }
    longest = max(answers, key=lambda asked: len(answers[asked]))
    changed = set()
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        asked = random.choice([longest, *answers])
        if data := answers[asked]:
            random.choice(MUTATIONS)(random, data, random.randrange(len(data)))
            changed.add(asked)
    return {
        asked: bytes(answers[asked]) if headers else make_packets(bytes(answers[asked])) for asked in sorted(changed)
    }
