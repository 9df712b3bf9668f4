"""Mutations of a real conversation: whatever the bytes are, each driver ends in order, in time, without much memory.

Each case runs in a process of its own: see `driver_process.py`. A failure names its seeds; they are repeated by the
test of their range, `pytest tests/integration/test_input_fuzz.py --all -k "1175-1199 and mssql-python"`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.tds.scripted_engine import ScriptedEngine, make_result
from sandbox.tds.server import StandInServer
from tests.integration.driver_process import DriverProcess, Ending
from tests.integration.erp import COLUMN_TYPES, MSSQL_PYTHON, PYMSSQL, QUERY, order
from tests.integration.mutations import mutate
from tests.integration.raw_server import Conversation, RawServer, recording

AT_ONCE, USUAL, ALL = 25, 75, 5000
STARTS = [pytest.param(start, id=f"{start}-{start + AT_ONCE - 1}") for start in range(0, USUAL, AT_ONCE)] + [
    pytest.param(start, id=f"{start}-{start + AT_ONCE - 1}", marks=pytest.mark.full)
    for start in range(USUAL, ALL, AT_ONCE)
]
# Beyond what the rows of the conversation, some kilobytes, can need.
MEMORY_MB = 200
NO_SENTENCE = re.compile(r"Traceback|Exception|DDBC|^\W")


@pytest.fixture(scope="module")
def query_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("query") / "open_orders.sql"
    file.write_text(QUERY)
    return file


@pytest.fixture(scope="module", params=[MSSQL_PYTHON, PYMSSQL])
def source_driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def conversation(driver: DriverProcess, query_file: Path, source_driver: str) -> Conversation:
    """Return what the stand-in answers to a reader of four orders."""
    engine = ScriptedEngine()
    rows = [tuple(order(f"SO{number}", number).values()) for number in range(4)]
    engine.script(QUERY, [make_result(list(COLUMN_TYPES.items()), rows)])
    with StandInServer(engine, users={"reader": "a password"}) as server, recording(server.port) as (port, answers):
        assert driver.read(address(port, source_driver), query_file).rows == 4
    return answers


def address(port: int, source_driver: str) -> str:
    extras = f"driver={source_driver}&encryption=off&timeout=2&login_timeout=2"
    return f"mssql://reader:a%20password@127.0.0.1:{port}/ERP?{extras}"


def is_orderly(ending: Ending) -> bool:
    """Whether the rows were read, an error was told in a sentence, or a driver beyond help was ended."""
    if ending.grown_mb > MEMORY_MB or ending.hung or ending.signal is not None or ending.unforeseen is not None:
        return False
    return ending.rows is not None or ending.exit_code == 1 or not NO_SENTENCE.search(ending.error or "")


@pytest.mark.parametrize("start", STARTS)
def test_any_mutation_ends_in_order(
    driver: DriverProcess, conversation: Conversation, query_file: Path, source_driver: str, start: int
) -> None:
    disorderly = {}
    for seed in range(start, start + AT_ONCE):
        with RawServer(conversation, mutate(conversation, seed)) as server:
            ending = driver.read(address(server.port, source_driver), query_file, time_limit_s=8, stuck_after_s=1)
        if not is_orderly(ending):
            disorderly[f"seed {seed}"] = ending
    assert disorderly == {}
