"""A server that doesn't keep to the protocol: a sentence in the job log within the timeouts, and nothing published.

Each case runs the step as Airflow does, in a process of its own, since the drivers are not Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import OPEN_ORDERS
from open_orders.errors import IncompleteFetchError, SourceError
from open_orders.source import open_source
from sandbox.tds.faults import Faults
from tests.integration.driver_process import DriverProcess, Ending
from tests.integration.erp import MSSQL_PYTHON, PYMSSQL, QUERY, Erp, Sync, order
from tests.integration.malformed import (
    AFTER_LOGIN,
    ENDLESS,
    ENDLESS_VALUE,
    FAILED_LOGIN,
    FIRST_STATEMENT,
    FORGIVEN,
    PACKETS,
    READ_BY_MSSQL_PYTHON,
    REFUSED_BY_MSSQL_PYTHON,
    STALLED_LOGIN,
    TOKENS,
    Change,
    change_answer,
    cut_extension,
    endless_value,
    garbage,
)
from tests.integration.outcome import Database, job_log, messages, published
from tests.integration.raw_server import Conversation, RawServer, make_packet, make_packets, recording

# What a person reads: a sentence about the source, and no exception's name.
SENTENCE = re.compile(
    r"fetch: (SQL Server:? .*|What SQL Server .* sent.* makes no sense; .*|The driver can't read row .*"
    r"|The source query (lacks|returns customer_name as datetimeoffset,) .*|1 rows arrived, but SQL Server .*)"
)
NO_SENTENCE = re.compile(r"Traceback|Error\(|Exception|DDBC|Unexpected error")
LAST_ATTEMPT = {
    "dag_id": "sync_open_orders", "trigger": "manual", "triggered_by": None, "clear_number": 0, "step": "fetch",
    "attempt": 3, "attempts": 3,
}  # fmt: skip

# Where pymssql's own timeout works; mssql-python's does everywhere.
PYMSSQL_KNOWS = {"silence for PRELOGIN", "silence for LOGIN7"}


@pytest.fixture
def conversation(sync: Sync, erp: Erp, monkeypatch: pytest.MonkeyPatch) -> Conversation:
    """Return what the stand-in answered to a run that published one order."""
    erp.query_file.write_text(QUERY)
    erp.rows = [order("before")]
    with recording(erp.server.port) as (port, answers), monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(port, encryption="off"))
        sync.run()
    return answers


only_pymssql = pytest.mark.parametrize("source_driver", [PYMSSQL], indirect=True)


def address_of(erp: Erp, server: RawServer, timeout_s: int = 1) -> str:
    return erp.address(server.port, encryption="off", timeout=timeout_s, login_timeout=timeout_s)


class Fetches:
    """Runs the step `fetch` against servers that say something else than the recorded one, each in its own run."""

    def __init__(self, driver: DriverProcess, conversation: Conversation, orders: Database, erp: Erp) -> None:
        self._driver = driver
        self._conversation = conversation
        self._orders = orders
        self._erp = erp
        self._runs = 0

    def is_asked(self, asked: str) -> bool:
        """Whether the source's driver asks this at all."""
        return any(said.endswith(asked) for said in self._conversation)

    def read(self, asked: str, change: Change) -> Ending:
        """Read the query's answer outside of a run, from a server that has time."""
        changed = change_answer(self._conversation, asked, change)
        with RawServer(self._conversation, changed, patience_s=10) as server:
            return self._driver.read(address_of(self._erp, server), self._erp.query_file)

    def run(self, asked: str, change: Change, **limits: float) -> tuple[str, Ending]:
        """Return the run's id, and how its process ended."""
        with RawServer(self._conversation, change_answer(self._conversation, asked, change)) as server:
            self._runs += 1
            attempt = LAST_ATTEMPT | {"run_id": f"run {self._runs}"}
            return attempt["run_id"], self._driver.step(
                address_of(self._erp, server), self._erp.query_file, attempt, **limits
            )

    def complain(self, asked: str, change: Change, says: str = "", **limits: float) -> str | None:
        """Return what was wrong with the way in which the step failed; None when it failed as it should."""
        return self.complaint(*self.run(asked, change, **limits), says)

    def complaint(self, run_id: str, ending: Ending, says: str) -> str | None:
        """Return what was wrong with this ending, as above."""
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
    return Fetches(driver, conversation, orders, erp)


def complaints(found: Mapping[Any, str | None]) -> dict[Any, str]:
    return {name: complaint for name, complaint in found.items() if complaint is not None}


@pytest.mark.both_drivers(other="full")
@pytest.mark.parametrize("cases", [PACKETS, TOKENS], ids=["packets", "tokens"])
def test_malformed_result_is_told_in_a_sentence_and_publishes_nothing(
    fetches: Fetches, erp: Erp, cases: dict[str, Change]
) -> None:
    forgiven = READ_BY_MSSQL_PYTHON if erp.driver == MSSQL_PYTHON else set()
    found = {name: fetches.complain(QUERY, change) for name, change in cases.items() if name not in forgiven}
    assert complaints(found) == {}
    assert [fetches.read(QUERY, cases[name]).rows for name in forgiven & cases.keys()] in ([], [1])


@pytest.mark.both_drivers(other="full")
def test_result_that_is_only_odd_is_read_unless_the_driver_refuses_it(fetches: Fetches, erp: Erp) -> None:
    refused = REFUSED_BY_MSSQL_PYTHON & FORGIVEN.keys() if erp.driver == MSSQL_PYTHON else set()
    endings = {name: fetches.read(QUERY, change) for name, change in FORGIVEN.items() if name not in refused}
    assert {name: ending for name, ending in endings.items() if ending.rows != 1} == {}
    assert complaints({name: fetches.complain(QUERY, FORGIVEN[name]) for name in refused}) == {}


@pytest.mark.both_drivers(other="full")
def test_garbage_is_told_in_a_sentence_and_publishes_nothing(fetches: Fetches) -> None:
    def packed(seed: int) -> Change:
        return lambda payload: make_packets(garbage(seed, len(payload)))

    def bare(seed: int) -> Change:
        return lambda payload: garbage(seed, len(payload))

    found = {}
    for seed in range(3):
        for asked in filter(fetches.is_asked, ("PRELOGIN", "LOGIN7", "use [ERP]", QUERY, "SELECT @@ROWCOUNT")):
            found["packed", asked, seed] = fetches.complain(asked, packed(seed))
        found["bare", seed] = fetches.complain(QUERY, bare(seed))
    assert complaints(found) == {}


@pytest.mark.both_drivers
@pytest.mark.parametrize("name", [name for name in ENDLESS if name != ENDLESS_VALUE])
def test_endless_answer_is_ended_within_the_steps_time_limit(fetches: Fetches, erp: Erp, name: str) -> None:
    says = "took longer than 1.35 s to answer in full; the step's time limit is 1.5 s"
    if erp.driver == MSSQL_PYTHON and name in REFUSED_BY_MSSQL_PYTHON:
        says = "makes no sense"
    assert fetches.complain(QUERY, ENDLESS[name], says, time_limit_s=1.5) is None


@pytest.mark.both_drivers(other="full")
def test_server_that_is_none_is_told_in_a_sentence(fetches: Fetches, erp: Erp) -> None:
    says = "ended the connection while logging in; check encryption and TDS version, and whether it is a SQL Server"
    forgiven = READ_BY_MSSQL_PYTHON if erp.driver == MSSQL_PYTHON else set()
    found = {
        name: fetches.complain(asked, change, says)
        for name, (asked, change) in FAILED_LOGIN.items()
        if fetches.is_asked(asked) and name not in forgiven
    }
    assert complaints(found) == {}
    assert [fetches.read(*FAILED_LOGIN[name]).rows for name in forgiven & FAILED_LOGIN.keys()] in ([], [1])


@pytest.mark.both_drivers
@pytest.mark.parametrize("name", STALLED_LOGIN)
def test_login_that_takes_too_long_is_ended_by_its_own_timeout(fetches: Fetches, erp: Erp, name: str) -> None:
    asked, change = STALLED_LOGIN[name]
    if not fetches.is_asked(asked):
        asked = FIRST_STATEMENT
    says = "took longer than 1 s to connect and log in"
    if erp.driver == MSSQL_PYTHON:
        says = "ended the connection while logging in" if name in REFUSED_BY_MSSQL_PYTHON else "stopped answering"
    elif name in PYMSSQL_KNOWS:
        says = "stopped answering"
    assert fetches.complain(asked, change, says, time_limit_s=60) is None


@only_pymssql
def test_value_that_never_ends_is_ended_within_the_steps_time_limit(fetches: Fetches) -> None:
    says = "took longer than 1.35 s to answer in full; the step's time limit is 1.5 s"
    assert fetches.complain(QUERY, endless_value, says, time_limit_s=1.5) is None


@only_pymssql
def test_value_that_never_ends_is_ended_before_it_fills_the_memory(fetches: Fetches) -> None:
    """FreeTDS keeps all of it and has no limit of its own; TEXTSIZE is for the server to keep to."""
    limit_mb = 64
    says = f"sent more than {limit_mb} MB without completing a row"
    run_id, ending = fetches.run(QUERY, endless_value, memory_bytes=limit_mb * 2**20)
    assert ending.error is not None
    assert says in ending.error
    assert ending.grown_mb < 4 * limit_mb
    assert fetches.complaint(run_id, ending, says) is None


@pytest.mark.full
@only_pymssql
def test_value_that_never_ends_is_ended_at_half_a_gigabyte(fetches: Fetches) -> None:
    _run_id, ending = fetches.run(QUERY, endless_value)
    assert ending.error is not None
    assert "sent more than 512 MB without completing a row" in ending.error
    assert ending.grown_mb < 1200


@pytest.mark.full
def test_value_that_never_ends_is_ended_by_mssql_python_itself(fetches: Fetches) -> None:
    """Within a value it lets no other thread run, ours neither: its own timeout ends it, or its limit of 2 GB."""
    run_id, ending = fetches.run(QUERY, endless_value)
    assert fetches.complaint(run_id, ending, "") is None
    assert ending.grown_mb < 2**11 * 2.5


@only_pymssql
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


@only_pymssql
def test_attempt_whose_process_was_ended_is_followed_by_the_next(
    driver: DriverProcess, conversation: Conversation, sync: Sync, erp: Erp, orders: Database
) -> None:
    with RawServer(conversation, change_answer(conversation, AFTER_LOGIN, cut_extension)) as server:
        first = LAST_ATTEMPT | {"run_id": "it", "attempt": 1}
        assert driver.step(address_of(erp, server), erp.query_file, first, stuck_after_s=1).exit_code == 1
    assert job_log(orders, "it")["status"] == 1
    erp.rows = [order("after")]
    sync.run(("fetch", "truncate", "import_batches", "publish"), run_id="it", attempt=2, params={"max_drop_share": 1})
    assert published(orders) == ["after"]
    assert any("could not be stopped" in message for message in messages(orders, "it"))


@pytest.mark.both_drivers(other="full")
def test_login_cut_at_any_byte_is_told_in_a_sentence(
    driver: DriverProcess, conversation: Conversation, erp: Erp, request: pytest.FixtureRequest
) -> None:
    every = 1 if request.config.getoption("--all") else 24
    silent = {}
    for asked in ("PRELOGIN", "LOGIN7"):
        whole = make_packet(conversation[asked])
        for length in range(0, len(whole), every):
            with RawServer(conversation, {asked: whole[:length]}) as server:
                ending = driver.read(address_of(erp, server, timeout_s=2), erp.query_file)
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


@only_pymssql
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_result_cut_at_any_byte_is_an_error(
    erp: Erp, length_of_result: int, reset: bool, request: pytest.FixtureRequest
) -> None:
    """Rows with short and long texts and decimals; among the positions is the boundary between the two rows.

    The driver reads the same bytes before a reset, so without --all that comes at some of the positions only.
    """
    every = 5 if reset and not request.config.getoption("--all") else 1
    silent = [position for position in range(0, length_of_result + 1, every) if cut(erp, position, reset) is None]
    assert silent == []


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("reset", [False, True], ids=["TLS and FIN", "RST"])
def test_result_cut_at_any_byte_is_an_error_in_another_process(
    erp: Erp, length_of_result: int, driver: DriverProcess, reset: bool
) -> None:
    """As above with mssql-python, which within a long value stops the process that would have to cut it."""
    address = erp.address(encryption="off" if reset else "default")
    silent = {}
    for position in range(length_of_result + 1):
        erp.server.faults = Faults(drop_after_bytes=position, reset=reset)
        ending = driver.read(address, erp.query_file)
        if ending.error is None:
            silent[position] = ending
    assert silent == {}
