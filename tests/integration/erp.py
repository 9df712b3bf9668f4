"""A scripted ERP behind a real TDS conversation, and the five steps of a sync as the DAG calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders import sync
from open_orders.contract import OPEN_ORDERS, Contract
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from open_orders.settings import Settings, read_parameters
from sandbox.tds.scripted_engine import ScriptedEngine, make_result
from sandbox.tds.server import StandInServer

PASSWORD = "a password of the ERP"
MSSQL_PYTHON, PYMSSQL = "mssql-python", "pymssql"
QUERY = "SELECT * FROM open_lines"
COLUMN_TYPES: dict[str, str] = {
    "order_number": "nvarchar(300)",
    "line_number": "int",
    "customer_code": "nvarchar(40)",
    "customer_name": "nvarchar(200)",
    "item_code": "varchar(60)",
    "item_description": "nvarchar(max)",
    "order_date": "date",
    "due_date": "date",
    "quantity_ordered": "decimal(18,4)",
    "quantity_shipped": "decimal(18,4)",
    "quantity_open": "decimal(18,4)",
    "unit_price": "decimal(19,4)",
    "amount_open": "money",
    "currency": "char(3)",
    "warehouse": "varchar(10)",
    "order_status": "nvarchar(20)",
    "source_updated_at": "datetime2(6)",
}
STEPS = ("connect", "fetch", "truncate", "import_batches", "publish")
DEFAULTS: dict[str, Any] = {"batch_size": 10000, "allow_empty": False, "max_drop_share": 0.5}


def order(number: str | None = "SO1", line: Any = 1, **changes: Any) -> dict[str, Any]:
    """Return a valid order line, with some of its values changed."""
    values = {
        "order_number": number,
        "line_number": line,
        "customer_code": "C1",
        "customer_name": "Müşteri A.Ş.",
        "item_code": "ITM-1",
        "item_description": "Çelik boru 日本 😀",
        "order_date": date(2026, 10, 2),
        "due_date": date(2026, 11, 20),
        "quantity_ordered": Decimal("500.0000"),
        "quantity_shipped": Decimal("460.0000"),
        "quantity_open": Decimal("40.0000"),
        "unit_price": Decimal("30.8500"),
        "amount_open": Decimal("1234.0000"),
        "currency": "EUR",
        "warehouse": "W1",
        "order_status": "Open",
        "source_updated_at": datetime(2026, 11, 1, 12, 30, 15, 123456),
    }
    return values | changes


def orders_of(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Return so many valid order lines, SO000 and so on."""
    return [order(f"SO{number:03}", **changes) for number in range(count)]


@dataclass
class Erp:
    """The source: what it delivers can be changed at any time, column types included, and what time it is there."""

    server: StandInServer
    engine: ScriptedEngine
    query_file: Path
    driver: str = MSSQL_PYTHON
    types: dict[str, str] = field(default_factory=lambda: dict(COLUMN_TYPES))
    rows: Sequence[Mapping[str, Any]] = ()
    local_time: datetime = datetime(2026, 12, 1)
    ahead: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.engine.script(QUERY, self._answer)
        self.engine.script("SELECT GETUTCDATE(), GETDATE()", self._tell_time)
        self.query_file.write_text(f"-- a comment\nSET NOCOUNT ON;\n{QUERY}")

    def address(self, port: int | None = None, login: str = "reader", **extras: object) -> str:
        """Return the connection through the driver, with these extras; or through what listens at another port."""
        # The stand-in signs its certificate itself.
        trust = {"trust_server_certificate": "true"} if self.driver == MSSQL_PYTHON else {}
        extras = {"driver": self.driver, **trust, **extras}
        place = f"{login}:{quote(PASSWORD)}@127.0.0.1:{port or self.server.port}"
        return f"mssql://{place}/ERP?{urlencode(extras)}"

    def _tell_time(self, _batch: str) -> Iterator[Any]:
        clocks = (datetime.now(UTC).replace(tzinfo=None) + self.ahead, self.local_time)
        yield make_result([("", "datetime"), ("", "datetime")], [clocks], reads_table=False)

    def _answer(self, _batch: str) -> Iterator[Any]:
        names = list(self.types)
        values = [tuple(row.get(name) for name in names) for row in self.rows]
        yield make_result(list(self.types.items()), values)


class Sync:
    """Runs steps of the sync as Airflow would: each under `JobLogHook.step`, with its own hooks."""

    def __init__(self, erp: Erp, execution: Callable[..., Execution], contract: Contract = OPEN_ORDERS) -> None:
        self.erp = erp
        self.settings = Settings(source_sql=erp.query_file)
        self.contract = contract
        self._execution = execution

    def run(
        self, steps: Sequence[str] = STEPS, *, params: Mapping[str, Any] | None = None, **changes: Any
    ) -> Execution:
        """Run these steps of one run, in order; returns the last step's execution."""
        first = self._execution(**changes)
        for step in steps:
            attempt = self._execution(**{"run_id": first.run_id, **changes, "step": step})
            self.run_step(attempt, params or {})
        return attempt

    def run_step(self, execution: Execution, params: Mapping[str, Any] | None = None) -> None:
        """Run one step for this execution."""
        run_step(execution, self.settings, params or {}, self.contract)


def run_step(
    execution: Execution, settings: Settings, params: Mapping[str, Any], contract: Contract = OPEN_ORDERS
) -> None:
    """Run one step as its task in the DAG does."""
    values = DEFAULTS | dict(params)
    source = MsSqlHook("erp_mssql")
    with JobLogHook().step(execution) as log:
        match execution.step:
            case "connect":
                sync.connect(log, source, contract, values, settings)
            case "fetch":
                sync.fetch(log, source, contract, read_parameters(values, settings))
            case "truncate":
                sync.truncate(log, contract)
            case "import_batches":
                sync.import_batches(log, contract)
            case "publish":
                sync.publish(log, contract, settings, read_parameters(values, settings))
