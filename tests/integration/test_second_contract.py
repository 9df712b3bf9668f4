"""A second table is synced with a contract, a query and a DAG file: the example of the open purchase orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import MetaData, create_engine

from open_orders import contracts
from open_orders.contract import KEY_TEXT, OPEN_ORDERS, Column, Contract, ContractDefinitionError, Integer, Text
from open_orders.contracts import find_contracts
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from open_orders.landing import RowBatch
from open_orders.migrations.__main__ import main as migrate_command
from open_orders.models import Base, published_table, working_tables
from open_orders.settings import load_settings
from open_orders.target import Target
from sandbox.tds.scripted_engine import make_result
from tests.integration.database_roles import make_site
from tests.integration.erp import Erp, Sync, order
from tests.integration.outcome import Database, counts, details, messages, published
from tests.integration.purchase_orders import COLUMN_TYPES, CONTRACTS, QUERY_FILE, purchase_order

DAG_ID = "sync_open_purchase_orders"


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Contract:
    """Return the example's contract, which is found as if its module had been copied into the package."""
    monkeypatch.setattr(contracts, "__path__", [*contracts.__path__, str(CONTRACTS)])
    return find_contracts()[1]


@dataclass
class Purchases:
    """The second sync; `rows` is what its query delivers."""

    sync: Sync
    rows: list[dict[str, Any]]

    def run(self, **changes: Any) -> Execution:
        return self.sync.run(dag_id=DAG_ID, **changes)


@pytest.fixture
def purchases(
    contract: Contract, orders_dsn: str, erp: Erp, execution: Callable[..., Execution], monkeypatch: pytest.MonkeyPatch
) -> Purchases:
    """Return a runner of the example's steps, with its tables made by bin/migrate and its query answered."""
    assert migrate_command([]) == 0
    monkeypatch.setenv("OPEN_PURCHASE_ORDERS_SOURCE_SQL", str(QUERY_FILE))
    load_settings.cache_clear()
    sync = Sync(erp, execution, contract)
    sync.settings = load_settings(contract.table)
    made = Purchases(sync, [])

    def answer(_batch: str) -> Iterator[Any]:
        values = [tuple(row[name] for name in COLUMN_TYPES) for row in made.rows]
        yield make_result(list(COLUMN_TYPES.items()), values)

    erp.engine.script(QUERY_FILE.read_text(), answer)
    return made


def purchased(database: Database) -> list[tuple[str, int]]:
    rows = database.execute("SELECT purchase_order_number, line_number FROM open_purchase_orders ORDER BY 1, 2")
    return rows.fetchall()


def test_rows_arrive_change_close_and_are_rejected_like_the_first_tables(
    purchases: Purchases, sync: Sync, erp: Erp, orders: Database
) -> None:
    erp.rows = [order("SO1")]
    sync.run()
    purchases.rows = [purchase_order("PO1"), purchase_order("PO2"), purchase_order("PO3"), purchase_order(None)]
    first = purchases.run()
    assert purchased(orders) == [("PO1", 1), ("PO2", 1), ("PO3", 1)]
    assert "Job started - sync_open_purchase_orders (manual, triggered by admin)" in messages(orders, first.run_id)
    assert "Fetched 4 purchase orders in " in " ".join(messages(orders, first.run_id))
    purchases.rows = [
        purchase_order("PO1"),
        purchase_order("PO2", quantity_open=Decimal("1.5000")),
        purchase_order("PO4"),
    ]
    second = purchases.run()
    assert counts(orders, second.run_id) == {
        "fetched": 3, "imported": 3, "rejected": 0, "inserted": 1, "updated": 1, "deleted": 1, "total_after": 3,
    }  # fmt: skip
    changes = orders.execute(
        "SELECT contract, kind, key ->> 'purchase_order_number' FROM open_order_changes WHERE job_log_id = "
        "(SELECT max(id) FROM job_logs) ORDER BY kind"
    )
    assert changes.fetchall() == [
        ("open_purchase_orders", "changed", "PO2"),
        ("open_purchase_orders", "closed", "PO3"),
        ("open_purchase_orders", "new", "PO4"),
    ]
    reasons = orders.execute("SELECT contract, reason FROM rejected_orders").fetchall()
    assert reasons == [("open_purchase_orders", "purchase_order_number is missing")]
    assert published(orders) == ["SO1"]


def test_guards_refuse_in_the_second_tables_own_words(purchases: Purchases, orders: Database) -> None:
    purchases.rows = [purchase_order(f"PO{number}") for number in range(4)]
    purchases.run()
    purchases.rows = []
    says = "returned no purchase orders; open_purchase_orders keeps its 4.*set OPEN_PURCHASE_ORDERS_ALLOW_EMPTY"
    with pytest.raises(AirflowFailException, match=says):
        purchases.run()
    purchases.rows = [purchase_order("PO0")]
    with pytest.raises(AirflowFailException, match="3 purchase orders of 4 would disappear"):
        purchases.run()
    assert len(purchased(orders)) == 4
    purchases.run(params={"max_drop_share": 0.8})
    assert purchased(orders) == [("PO0", 1)]


def test_each_sync_has_a_fence_of_its_own(
    purchases: Purchases, sync: Sync, erp: Erp, orders: Database, execution: Callable[..., Execution]
) -> None:
    erp.rows, purchases.rows = [order("SO1")], [purchase_order()]
    begun = sync.run(("connect", "fetch"))
    purchases.run()
    sync.run(("truncate", "import_batches", "publish"), run_id=begun.run_id)
    assert (published(orders), purchased(orders)) == (["SO1"], [("PO1", 1)])
    assert [level for level, _ in details(orders, begun.run_id) if level != "info"] == []


def test_settings_of_the_second_table_are_its_own(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings.cache_clear()
    monkeypatch.setenv("OPEN_ORDERS_ALLOW_EMPTY", "true")
    monkeypatch.setenv("OPEN_ORDERS_SOURCE_LOCK_TIMEOUT_S", "7")
    monkeypatch.setenv("OPEN_PURCHASE_ORDERS_MAX_DROP_SHARE", "0.9")
    second = load_settings(contract.table)
    load_settings.cache_clear()
    assert (second.allow_empty, second.max_drop_share, second.source_lock_timeout_s) == (False, 0.9, 7)
    assert second.source_sql.name == "open_purchase_orders.sql"


def test_sync_without_its_tables_says_what_to_run(
    contract: Contract, sync: Sync, erp: Erp, execution: Callable[..., Execution]
) -> None:
    with pytest.raises(AirflowFailException, match="lacks the table open_purchase_orders, .*Run: bin/migrate"):
        Sync(erp, execution, contract).run(("connect",), dag_id=DAG_ID)


def test_changed_contract_is_told_and_its_tables_are_made_anew(
    contract: Contract, purchases: Purchases, orders: Database, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    purchases.rows = [purchase_order()]
    purchases.run()
    wider = Contract(contract.table, contract.noun, (*contract.columns, Column("buyer", Text(), "Who ordered")))
    monkeypatch.setattr(contracts, "_read", lambda _name: iter([wider]))
    assert migrate_command([]) == 1
    said = capsys.readouterr().err
    assert "open_purchase_orders.buyer is missing, expected text" in said
    assert "bin/migrate rebuild open_purchase_orders" in said
    purchases.sync.contract = wider
    with pytest.raises(AirflowFailException, match="are not those of its contract: open_purchase_orders.buyer is miss"):
        purchases.run()
    assert purchased(orders) == [("PO1", 1)]
    assert migrate_command(["rebuild", "open_purchase_orders"]) == 0
    assert purchased(orders) == []
    assert orders.execute("SELECT buyer FROM open_purchase_orders").fetchall() == []


def test_tables_that_somebody_changed_are_told(contract: Contract, purchases: Purchases, orders: Database) -> None:
    orders.execute("ALTER TABLE open_purchase_orders ALTER quantity_open TYPE numeric(18,2), ADD mine text")
    orders.execute("ALTER TABLE open_purchase_orders DROP CONSTRAINT open_purchase_orders_pkey")
    said = (
        r"open_purchase_orders.quantity_open is numeric\(18,2\) NOT NULL, expected numeric\(18,4\) NOT NULL; "
        "open_purchase_orders.mine is not in the contract; "
        "the key of open_purchase_orders is none, expected purchase_order_number, line_number"
    )
    with pytest.raises(AirflowFailException, match=said):
        purchases.run()


def test_working_tables_of_an_older_release_are_made_anew_and_what_is_published_stays(
    contract: Contract, purchases: Purchases, orders: Database
) -> None:
    purchases.rows = [purchase_order()]
    purchases.run()
    orders.execute("ALTER TABLE open_purchase_orders_landing DROP quantity_open_typed")
    orders.execute("ALTER TABLE open_purchase_orders_staging ADD PRIMARY KEY (purchase_order_number, line_number)")
    said = (
        "open_purchase_orders_landing.quantity_open_typed is missing, expected numeric; "
        "the key of open_purchase_orders_staging is purchase_order_number, line_number, expected none. "
        "Run: bin/migrate$"
    )
    with pytest.raises(AirflowFailException, match=said):
        purchases.run()
    assert migrate_command([]) == 0
    assert purchased(orders) == [("PO1", 1)]
    purchases.rows = [purchase_order(), purchase_order(line=2)]
    purchases.run()
    assert purchased(orders) == [("PO1", 1), ("PO1", 2)]


def test_index_of_an_older_release_is_dropped_in_each_published_table(
    contract: Contract, purchases: Purchases, orders: Database
) -> None:
    find = (
        "SELECT tablename, indexname FROM pg_indexes WHERE tablename IN ('open_orders', %s) AND indexname NOT LIKE %s "
        "ORDER BY tablename"
    )
    indexes = (find, (contract.table, "%\\_pkey"))
    assert migrate_command(["downgrade", "0010", "--yes"]) == 0
    tables = ("open_orders", contract.table)
    assert orders.execute(*indexes).fetchall() == [
        (table, f"{table}_changed_job_log_id_idx") for table in sorted(tables)
    ]
    assert migrate_command([]) == 0
    assert orders.execute(*indexes).fetchall() == []


def test_autovacuum_leaves_alone_what_each_sync_fills_anew(
    contract: Contract, purchases: Purchases, orders: Database
) -> None:
    """Made by the newest revision, or by one before and then brought up to date."""
    left_alone = "SELECT relname FROM pg_class WHERE 'autovacuum_enabled=false' = ANY (reloptions)"
    expected = {(table,) for each in (OPEN_ORDERS, contract) for table in (each.landing, each.staging)}
    assert set(orders.execute(left_alone).fetchall()) == expected
    assert migrate_command(["downgrade", "0012", "--yes"]) == 0
    assert orders.execute(left_alone).fetchall() == []
    assert migrate_command([]) == 0
    assert set(orders.execute(left_alone).fetchall()) == expected


def test_keys_that_are_texts_are_sorted_by_code_point(
    contract: Contract, purchases: Purchases, orders: Database
) -> None:
    """Made by the newest revision, or by one before and then brought up to date; of what is published and staged."""
    by_code_point = (
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND collation_name = 'C'"
    )
    expected = {
        (table, column.name)
        for each in (OPEN_ORDERS, contract)
        for table in (each.table, each.staging)
        for column in each.columns
        if column.key and column.type.pg_type == "text"
    }
    assert set(orders.execute(by_code_point).fetchall()) == expected
    assert migrate_command(["downgrade", "0013", "--yes"]) == 0
    assert orders.execute(by_code_point).fetchall() == []
    assert migrate_command([]) == 0
    assert set(orders.execute(by_code_point).fetchall()) == expected
    index = "SELECT pg_get_indexdef(to_regclass('open_orders_pkey'))"
    assert orders.execute(index).fetchone() == (
        "CREATE UNIQUE INDEX open_orders_pkey ON public.open_orders USING btree (order_number, line_number)",
    )


def test_pages_may_read_its_table_and_not_its_working_tables(
    contract: Contract, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(empty_dsn)
    site.provision()
    site.migrate(site.pipeline)
    said = " ".join(site.provision())
    assert f"{site.web.role} may read " in said
    assert "open_purchase_orders" in said
    with site.connect(site.web, autocommit=True) as pages:
        assert pages.execute("SELECT count(*) FROM open_purchase_orders").fetchone() == (0,)
        for table in contract.working_tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                pages.execute(f"SELECT * FROM {table}")
    site.downgrade(site.pipeline, "base")
    with site.connect() as connection:
        assert connection.execute("SELECT to_regclass('open_purchase_orders')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"table": "Open-Orders"}, "its name has to be"),
        ({"table": "t" * 43}, "its name has to be"),
        ({"columns": ()}, "no column is a key"),
        ({"columns": (Column("a", Text(20), "", key=True),)}, "the key column a must not be nullable"),
        ({"columns": (Column("a", Text(), "", nullable=False, key=True),)}, "texts in the key need a max_length"),
        ({"columns": (*OPEN_ORDERS.columns, OPEN_ORDERS.columns[0])}, "the column order_number comes 2 times"),
        ({"columns": (*OPEN_ORDERS.columns, Column("batch_no", Text(), ""))}, "uses the name batch_no itself"),
        ({"columns": (*OPEN_ORDERS.columns, Column("staged", Text(), ""))}, "uses the name staged itself"),
        ({"columns": (*OPEN_ORDERS.columns, Column("Drop Table", Text(), ""))}, "the column name 'Drop Table' has to"),
        ({"columns": (*OPEN_ORDERS.columns, Column("at", Text(), "", last_change=True))}, "last_change is for one"),
    ],
)
def test_contract_that_cannot_work_says_so_when_it_is_written_down(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractDefinitionError, match=says):
        Contract(**({"table": "orders", "noun": "order", "columns": OPEN_ORDERS.columns} | changes))


def test_contracts_that_share_a_table_are_refused(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    clash = Contract("open_orders_landing", "row", OPEN_ORDERS.columns)
    monkeypatch.setattr(contracts, "_read", lambda _name: iter([clash]))
    with pytest.raises(ContractDefinitionError, match="open_orders and open_orders_landing share a table"):
        find_contracts()


def test_module_that_cannot_be_imported_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_contract.py").write_text("import nothing_of_that_name")
    monkeypatch.setattr(contracts, "__path__", [str(tmp_path)])
    with pytest.raises(ContractDefinitionError, match="Cannot import the contract broken_contract: No module named"):
        find_contracts()


def test_columns_may_be_called_as_the_statements_call_theirs(
    orders: Database, orders_dsn: str, opened: JobLogHook
) -> None:
    names = ("place", "position", "first", "last", "kind", "published_at", "staged_at", "differing", "known", "landed")
    contract = Contract(
        "stocks",
        "stock",
        (
            Column("place", KEY_TEXT, "", nullable=False, key=True),
            Column("position", Integer(), "", nullable=False, key=True),
            *(Column(name, Text(), "") for name in names[2:]),
        ),
    )
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    published_table(contract, metadata)
    working_tables(contract, metadata)
    engine = create_engine(orders_dsn.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    engine.dispose()
    target = Target(orders, contract, opened.job_log_id)

    def publish(*rows: tuple[str, int, str]) -> tuple[int, int, int]:
        with orders.transaction():
            target.land(
                [RowBatch(contract.columns, [(place, position, *[text] * 8) for place, position, text in rows])], 10
            )
            target.truncate_staging()
            target.mark_duplicates()
            [batch] = target.read_batches(in_order=False)
            imported, rejected = target.import_batch(batch)
            assert imported + rejected == len(rows)
            done = target.publish(target.reconcile())
        return done.inserted, done.updated, done.deleted

    assert publish(("A", 1, "x"), ("A", 1, "y"), ("B", 2, "x"), ("", 3, "x")) == (2, 0, 0)
    assert publish(("A", 1, "z"), ("C", 2, "x")) == (1, 1, 1)
    found = orders.execute("SELECT place, position, kind, last FROM stocks ORDER BY place").fetchall()
    assert found == [("A", 1, "z", "z"), ("C", 2, "x", "x")]
    [(key, before)] = orders.execute("SELECT key, before FROM open_order_changes WHERE kind = 'changed'").fetchall()
    assert (key, before) == ({"place": "A", "position": 1}, dict.fromkeys(names[2:], "x"))
