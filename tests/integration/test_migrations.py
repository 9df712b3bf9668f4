from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from open_orders.contract import OPEN_ORDERS
from open_orders.errors import SchemaVersionError
from open_orders.execution import Execution
from open_orders.job_log_hook import JobLogHook
from open_orders.migrations.__main__ import build_config, downgrade, main, migrate
from open_orders.models import Base
from open_orders.schema_version import HEAD, REVISIONS, VERSION_TABLE, check_revision
from tests.integration.postgres_versions import every_version

INSERT_LOG = """INSERT INTO job_logs (name, job_name, dag_id, run_id, trigger, started_at, heartbeat_at)
    VALUES ('20260102_030405', 'a job', 'dag', 'run', 'manual', now(), now())"""

# A row for every table with something in it that a downgrade could lose.
ROWS = {
    "job_log_details": "INSERT INTO job_log_details (job_log_id, level, message) SELECT id, 'info', 'x' FROM job_logs",
    "open_orders": """INSERT INTO open_orders
        (order_number, line_number, customer_code, quantity_open, first_job_log_id, changed_job_log_id)
        VALUES ('SO-1', 1, 'C1', 2.5, 1, 1)""",
    "rejected_orders": """INSERT INTO rejected_orders
        (contract, fingerprint, reason, "row", occurrences, first_job_log_id, last_job_log_id)
        VALUES ('open_orders', 'f', 'r', '{}', 1, 1, 1)""",
    "open_order_changes": """INSERT INTO open_order_changes (contract, job_log_id, kind, key)
        VALUES ('open_orders', 1, 'new', '{}')""",
    "source_columns": "INSERT INTO source_columns VALUES ('open_orders', 'quantity_open', 'text', 'decimal', now())",
    "job_alerts": "INSERT INTO job_alerts (job_name, state) VALUES ('a job', 'well')",
}
# Which of them which revision brought.
ADDED = {
    "0002": ("open_orders", "rejected_orders"),
    "0003": ("open_order_changes",),
    "0006": ("source_columns",),
    "0008": ("job_alerts",),
}


@pytest.fixture
def connection(empty_dsn: str):
    engine = create_engine(empty_dsn.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_known_revisions_are_those_of_the_scripts(connection: Connection) -> None:
    scripts = ScriptDirectory.from_config(build_config(connection))
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS
    assert scripts.get_heads() == [HEAD]


def test_migrated_tables_are_those_of_the_models(connection: Connection) -> None:
    migrate(connection)
    context = MigrationContext.configure(
        connection,
        opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True},
    )
    assert compare_metadata(context, Base.metadata) == []


def test_contract_columns_have_the_contracts_types_and_nullability(connection: Connection) -> None:
    migrate(connection)
    for table in (OPEN_ORDERS.table, OPEN_ORDERS.staging):
        rows = connection.execute(
            text("""SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute
                    WHERE attrelid = to_regclass(:table) AND attnum > 0 ORDER BY attnum"""),
            {"table": table},
        )
        found = {name: (kind.replace("timestamp without time zone", "timestamp"), null) for name, kind, null in rows}
        assert {name: found[name] for name in OPEN_ORDERS.names} == {
            column.name: (column.type.pg_type, column.nullable) for column in OPEN_ORDERS.columns
        }


def test_working_tables_are_unlogged_and_the_others_are_not(connection: Connection) -> None:
    migrate(connection)
    rows = connection.execute(
        text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u' ORDER BY relname")
    )
    assert rows.scalars().all() == ["open_orders_batches", "open_orders_landing", "open_orders_staging"]


@every_version
@pytest.mark.parametrize("start", REVISIONS)
def test_upgrade_from_every_revision_keeps_the_data(connection: Connection, start: str) -> None:
    migrate(connection, start)
    connection.execute(text(INSERT_LOG))
    later = {table for since, tables in ADDED.items() if since > start for table in tables}
    for table in ROWS.keys() - later:
        connection.execute(text(ROWS[table]))
    connection.commit()
    migrate(connection)
    assert connection.execute(text("SELECT name, status FROM job_logs")).all() == [("20260102_030405", 0)]
    for table in ROWS:
        assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == (table not in later), table


@pytest.mark.parametrize("revision", REVISIONS)
def test_downgrade_loses_what_it_says_and_no_more(connection: Connection, revision: str) -> None:
    """A row in every table; what no step from here down to the revision is said to drop has its row afterwards."""
    migrate(connection)
    connection.execute(text(INSERT_LOG))
    for statement in ROWS.values():
        connection.execute(text(statement))
    connection.commit()
    downgrade(connection, revision)
    left = {table for table in ROWS if connection.execute(text("SELECT to_regclass(:t)"), {"t": table}).scalar()}
    lost = {table for since, tables in ADDED.items() if since > revision for table in tables}
    assert left == set(ROWS) - lost
    for table in left:
        assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 1, table
    assert connection.execute(text("SELECT name FROM job_logs")).scalars().all() == ["20260102_030405"]


def test_downgrade_to_nothing_and_back_leaves_the_same_tables(connection: Connection) -> None:
    migrate(connection)
    downgrade(connection, "base")
    assert connection.execute(text("SELECT to_regclass('job_logs')")).scalar() is None
    migrate(connection)
    assert connection.execute(text("SELECT count(*) FROM job_logs")).scalar() == 0


@every_version
def test_downgrade_forgets_the_sources_column_types_and_keeps_the_rest(connection: Connection) -> None:
    migrate(connection)
    connection.execute(text(INSERT_LOG))
    connection.execute(
        text("INSERT INTO source_columns VALUES ('open_orders', 'quantity_open', 'text', 'decimal', now())")
    )
    connection.commit()
    downgrade(connection, "0005")
    assert connection.execute(text("SELECT to_regclass('source_columns')")).scalar() is None
    migrate(connection)
    assert connection.execute(text("SELECT count(*) FROM source_columns")).scalar() == 0
    assert connection.execute(text("SELECT name FROM job_logs")).scalars().all() == ["20260102_030405"]


def test_deleting_a_job_log_deletes_its_details(connection: Connection) -> None:
    migrate(connection)
    connection.execute(text(INSERT_LOG))
    connection.execute(
        text("INSERT INTO job_log_details (job_log_id, level, message) SELECT id, 'info', 'x' FROM job_logs")
    )
    connection.execute(text("DELETE FROM job_logs"))
    assert connection.execute(text("SELECT count(*) FROM job_log_details")).scalar() == 0


@pytest.mark.parametrize(
    ("revision", "says"),
    [(None, "no tables yet"), ("0001", "is behind the code"), ("9999", "is ahead of the code")],
)
def test_database_at_another_revision_is_refused_with_the_command_to_run(
    empty_dsn: str,
    connection: Connection,
    revision: str | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    execution: Callable[..., Execution],
) -> None:
    if revision is not None:
        migrate(connection)
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :revision"), {"revision": revision})
        connection.commit()
    with psycopg.connect(empty_dsn) as direct, pytest.raises(SchemaVersionError, match=f"{says}.*bin/migrate"):
        check_revision(direct)
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", empty_dsn)
    with pytest.raises(SchemaVersionError, match="bin/migrate"):
        JobLogHook().open(execution())


def test_command_line_migrates_says_where_it_is_and_keeps_the_password_to_itself(
    empty_dsn: str, connection: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", empty_dsn)
    password = empty_dsn.split(":")[2].split("@")[0]
    for arguments, says in [
        (["current"], f"is at revision none, the code needs {HEAD}"),
        ([], f"is at revision {HEAD}"),
        (["downgrade", "0001"], "0006: Drop it; the types are lost"),
        (["downgrade", "0001"], "Nothing was changed. Make a backup"),
        (["current"], f"is at revision {HEAD}"),
        (["downgrade", "0001", "--yes"], "0002: Drop them; open orders come back with the next sync"),
        (["current"], "is at revision 0001"),
        (["downgrade", "0001"], "is at revision 0001"),
        (["upgrade"], f"is at revision {HEAD}"),
    ]:
        assert main(arguments) == 0
        printed = capsys.readouterr().out
        assert says in printed
        assert password not in printed


def test_command_line_says_what_is_wrong(
    empty_dsn: str, connection: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", f"{empty_dsn}_missing")
    assert main([]) == 1
    assert "Cannot open the orders database 127.0.0.1" in capsys.readouterr().err
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", empty_dsn)
    assert main([]) == 0
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    connection.commit()
    assert main([]) == 1
    assert "nothing was changed: Can't locate revision identified by '9999'" in capsys.readouterr().err
    assert main(["downgrade", "0001"]) == 1
    assert "Can't locate revision identified by '9999'" in capsys.readouterr().err
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_DB")
    assert main(["current"]) == 1
    assert "No Airflow connection orders_db: set AIRFLOW_CONN_ORDERS_DB" in capsys.readouterr().err


def test_view_in_the_way_of_a_revision_is_named(
    empty_dsn: str, connection: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", empty_dsn)
    migrate(connection, "0013")
    connection.execute(text("CREATE VIEW big_orders AS SELECT order_number FROM open_orders WHERE quantity_open > 100"))
    connection.commit()
    assert main([]) == 1
    said = capsys.readouterr().err
    assert "nothing was changed: " in said
    assert "view big_orders depends on column" in said
    assert "Drop it, run bin/migrate, and make it again" in said
    connection.execute(text("DROP VIEW big_orders"))
    connection.commit()
    assert main([]) == 0


def test_key_may_be_called_as_a_word_of_sql(connection: Connection) -> None:
    migrate(connection, "0013")
    for table, key in [("select", ', PRIMARY KEY ("order", line)'), ("select_staging", ""), ("select_batches", "")]:
        connection.execute(
            text(f'CREATE TABLE "{table}" ("order" text NOT NULL, line integer NOT NULL, note text{key})')
        )
    connection.commit()
    migrate(connection, "0014")
    collated = """SELECT table_name, column_name FROM information_schema.columns
                  WHERE collation_name = 'C' AND table_name LIKE 'select%' ORDER BY 1"""
    assert connection.execute(text(collated)).all() == [("select", "order"), ("select_staging", "order")]
    downgrade(connection, "0013")
    assert connection.execute(text(collated)).all() == []
