"""A server that doesn't keep to the protocol: a sentence in the job log within the timeouts, and nothing published.

Each case runs the step as Airflow does, in a process of its own, since the driver is C code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import OPEN_ORDERS
from open_orders.errors import IncompleteFetchError, SourceError
from open_orders.source import open_source
from sandbox.tds.faults import Faults
from tests.integration.driver_process import DriverProcess, Ending
from tests.integration.erp import PYMSSQL, QUERY, Erp, Sync, order
from tests.integration.malformed import (
    AFTER_LOGIN,
    ENDLESS,
    FAILED_LOGIN,
    FORGIVEN,
    PACKETS,
    STALLED_LOGIN,
    TOKENS,
    Change,
    change_answer,
    cut_extension,
    endless_row,
    garbage,
)
from tests.integration.outcome import Database, job_log, messages, published
from tests.integration.raw_server import Conversation, RawServer, make_packet, make_packets, recording

# What a person reads: a sentence about the source, and no exception's name.
SENTENCE = re.compile(
    r"fetch: (SQL Server .*|What SQL Server .* sent.* makes no sense; .*|The driver can't read row .*"
    r"|The source query lacks .*|1 rows arrived, but SQL Server .*)"
)
NO_SENTENCE = re.compile(r"Traceback|Error\(|Exception|pymssql|Unexpected error")
LAST_ATTEMPT = {
    "dag_id": "sync_open_orders", "trigger": "manual", "triggered_by": None, "clear_number": 0, "step": "fetch",
    "attempt": 3, "attempts": 3,
}  # fmt: skip

# Where the driver's own timeout works.
DRIVER_KNOWS = {"silence for PRELOGIN", "silence for LOGIN7"}


def address_of(server: RawServer, timeout_s: int = 1) -> str:
    return f"mssql://reader:x@127.0.0.1:{server.port}/ERP?driver=pymssql&timeout={timeout_s}&login_timeout={timeout_s}"


@pytest.fixture
def conversation(sync: Sync, erp: Erp, monkeypatch: pytest.MonkeyPatch) -> Conversation:
    """Return what the stand-in answered to a run that published one order."""
    erp.query_file.write_text(QUERY)
    erp.rows = [order("before")]
    with recording(erp.server.port) as (port, answers), monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(port, driver="pymssql"))
        sync.run()
    return answers


class Fetches:
    """Runs the step `fetch` against servers that say something else than the recorded one, each in its own run."""

    def __init__(self, driver: DriverProcess, conversation: Conversation, orders: Database, query_file: Path) -> None:
        self._driver = driver
        self._conversation = conversation
        self._orders = orders
        self._query_file = query_file
        self._runs = 0

    def run(self, asked: str, change: Change, **limits: float) -> tuple[str, Ending]:
        """Return the run's id, and how its process ended."""
        with RawServer(self._conversation, change_answer(self._conversation, asked, change)) as server:
            self._runs += 1
            attempt = LAST_ATTEMPT | {"run_id": f"run {self._runs}"}
            return attempt["run_id"], self._driver.step(address_of(server), self._query_file, attempt, **limits)

    def complain(self, asked: str, change: Change, says: str = "", **limits: float) -> str | None:
        """Return what was wrong with the way in which the step failed; None when it failed as it should."""
        run_id, ending = self.run(asked, change, **limits)
        if ending.error is None:
            return f"not an error of ours: {ending}"
        log = job_log(self._orders, run_id)
        summary = log["error_summary"] or ""
        if log["status"] != 3 or not SENTENCE.fullmatch(summary) or NO_SENTENCE.search(summary) or says not in summary:
            return f"status {log['status']}: {summary}"
        if published(self._orders) != ["before"]:
            return f"published {published(self._orders)}"
        return None


@pytest.fixture
def fetches(driver: DriverProcess, conversation: Conversation, orders: Database, erp: Erp) -> Fetches:
    return Fetches(driver, conversation, orders, erp.query_file)


def complaints(found: Mapping[Any, str | None]) -> dict[Any, str]:
    return {name: complaint for name, complaint in found.items() if complaint is not None}


@pytest.mark.parametrize("cases", [PACKETS, TOKENS], ids=["packets", "tokens"])
def test_malformed_result_is_told_in_a_sentence_and_publishes_nothing(
    fetches: Fetches, cases: dict[str, Change]
) -> None:
    assert complaints({name: fetches.complain(QUERY, change) for name, change in cases.items()}) == {}


def test_result_that_is_only_odd_is_read(driver: DriverProcess, conversation: Conversation, erp: Erp) -> None:
    endings = {}
    for name, change in FORGIVEN.items():
        with RawServer(conversation, change_answer(conversation, QUERY, change), patience_s=10) as server:
            endings[name] = driver.read(address_of(server), erp.query_file)
    assert {name: ending for name, ending in endings.items() if ending.rows != 1} == {}


def test_garbage_is_told_in_a_sentence_and_publishes_nothing(fetches: Fetches) -> None:
    def packed(seed: int) -> Change:
        return lambda payload: make_packets(garbage(seed, len(payload)))

    def bare(seed: int) -> Change:
        return lambda payload: garbage(seed, len(payload))

    found = {}
    for seed in range(3):
        for asked in ("PRELOGIN", "LOGIN7", "use [ERP]", QUERY, "SELECT @@ROWCOUNT"):
            found["packed", asked, seed] = fetches.complain(asked, packed(seed))
        found["bare", seed] = fetches.complain(QUERY, bare(seed))
    assert complaints(found) == {}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_answer_is_ended_within_the_steps_time_limit(fetches: Fetches, name: str) -> None:
    says = "took longer than 1.35 s to answer in full; the step's time limit is 1.5 s"
    assert fetches.complain(QUERY, ENDLESS[name], says, time_limit_s=1.5) is None


def test_server_that_is_none_is_told_in_a_sentence(fetches: Fetches) -> None:
    says = "ended the connection while logging in; check encryption and TDS version, and whether it is a SQL Server"
    found = {name: fetches.complain(asked, change, says) for name, (asked, change) in FAILED_LOGIN.items()}
    assert complaints(found) == {}


@pytest.mark.parametrize("name", STALLED_LOGIN)
def test_login_that_takes_too_long_is_ended_by_its_own_timeout(fetches: Fetches, name: str) -> None:
    asked, change = STALLED_LOGIN[name]
    says = "stopped answering" if name in DRIVER_KNOWS else "took longer than 1 s to connect and log in"
    assert fetches.complain(asked, change, says, time_limit_s=60) is None


def test_row_that_never_ends_is_ended_before_it_fills_the_memory(fetches: Fetches) -> None:
    """FreeTDS keeps all of it and has no limit of its own; TEXTSIZE is for the server to keep to."""
    limit_mb = 64
    _run_id, ending = fetches.run(QUERY, endless_row, memory_bytes=limit_mb * 2**20)
    assert ending.error is not None
    assert f"sent more than {limit_mb} MB without completing a row" in ending.error
    assert ending.grown_mb < 4 * limit_mb
    assert fetches.complain(QUERY, endless_row, f"sent more than {limit_mb} MB", memory_bytes=limit_mb * 2**20) is None


@pytest.mark.full
def test_row_that_never_ends_is_ended_at_half_a_gigabyte(fetches: Fetches) -> None:
    _run_id, ending = fetches.run(QUERY, endless_row)
    assert ending.error is not None
    assert "sent more than 512 MB without completing a row" in ending.error
    assert ending.grown_mb < 1200


def test_driver_that_runs_in_circles_is_ended_with_its_process_and_the_next_run_is_well(
    fetches: Fetches, sync: Sync, erp: Erp, orders: Database
) -> None:
    """FreeTDS (1.5.19) never comes back when the connection ends within FEATUREEXTACK."""
    run_id, ending = fetches.run(AFTER_LOGIN, cut_extension, stuck_after_s=1)
    assert ending.exit_code == 1, ending
    log = job_log(orders, run_id)
    assert log["status"] == 3
    assert log["error_summary"].endswith("The driver could not be stopped, so the process was")
    assert published(orders) == ["before"]
    sync.run()


def test_attempt_whose_process_was_ended_is_followed_by_the_next(
    driver: DriverProcess, conversation: Conversation, sync: Sync, erp: Erp, orders: Database
) -> None:
    with RawServer(conversation, change_answer(conversation, AFTER_LOGIN, cut_extension)) as server:
        first = LAST_ATTEMPT | {"run_id": "it", "attempt": 1}
        assert driver.step(address_of(server), erp.query_file, first, stuck_after_s=1).exit_code == 1
    assert job_log(orders, "it")["status"] == 1
    erp.rows = [order("after")]
    sync.run(("fetch", "truncate", "import_batches", "publish"), run_id="it", attempt=2, params={"max_drop_share": 1})
    assert published(orders) == ["after"]
    assert any("could not be stopped" in message for message in messages(orders, "it"))


def test_login_cut_at_any_byte_is_told_in_a_sentence(
    driver: DriverProcess, conversation: Conversation, erp: Erp, request: pytest.FixtureRequest
) -> None:
    every = 1 if request.config.getoption("--all") else 24
    silent = {}
    for asked in ("PRELOGIN", "LOGIN7"):
        whole = make_packet(conversation[asked])
        for length in range(0, len(whole), every):
            with RawServer(conversation, {asked: whole[:length]}) as server:
                ending = driver.read(address_of(server, timeout_s=2), erp.query_file)
            if ending.error is None or "ended the connection while logging in" not in ending.error:
                silent[asked, length] = ending
    assert silent == {}


CUT_TYPES = {"order_number": "nvarchar(20)", "item_description": "nvarchar(max)", "warehouse": "varchar(max)"}


def cut(erp: Erp, position: int | None, reset: bool) -> str | None:
    """Return what the reader says of a result that is cut after so many bytes; None when it takes it for whole."""
    erp.server.faults = Faults(drop_after_bytes=position, reset=reset)
    try:
        with open_source(MsSqlHook("erp_mssql")) as session:
            query = session.start(QUERY, OPEN_ORDERS)
            received = sum(len(batch) for batch in session.batches(query, 1))
            assert session.confirm() == received == 2
    except (SourceError, IncompleteFetchError) as error:
        return str(error)
    return None


@pytest.fixture
def length_of_result(conversation: Conversation, erp: Erp, sync: Sync) -> int:
    """Have the ERP deliver two short orders, and return how many bytes come before their DONE."""
    erp.types |= CUT_TYPES
    empty = dict.fromkeys(set(order()) - {"order_number", "line_number", "customer_code", "quantity_open"})
    erp.rows = [order("SO1", **empty), order("SO2", **(empty | {"item_description": "ğ😀", "warehouse": "W"}))]
    with recording(erp.server.port) as (port, answers), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(port, encryption="off"))
        assert cut(erp, None, reset=False) is None
    return len(answers[QUERY]) - len(make_packet(b"")) - 5


@pytest.mark.parametrize("source_driver", [PYMSSQL], indirect=True)
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_result_cut_at_any_byte_is_an_error(erp: Erp, length_of_result: int, reset: bool) -> None:
    """Rows with short and long texts and decimals; among the positions is the boundary between the two rows."""
    silent = [position for position in range(length_of_result + 1) if cut(erp, position, reset) is None]
    assert silent == []


@pytest.mark.full
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_result_cut_at_any_byte_is_an_error_in_another_process(
    erp: Erp, length_of_result: int, driver: DriverProcess, reset: bool
) -> None:
    """As above with mssql-python, which within a long value stops the process that would have to cut it."""
    silent = {}
    for position in range(length_of_result + 1):
        erp.server.faults = Faults(drop_after_bytes=position, reset=reset)
        ending = driver.read(erp.address(), erp.query_file)
        if ending.error is None:
            silent[position] = ending
    assert silent == {}
