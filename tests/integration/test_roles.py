"""What the pipeline's role and the pages' role can do, and what they can't."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from open_orders.execution import Execution, RunState
from open_orders.job_log_hook import JobLogHook
from open_orders.roles import provision
from open_orders.schema_version import REVISIONS
from tests.integration.database_roles import Connection, Site, make_site
from tests.integration.erp import Sync, order
from tests.integration.postgres_versions import every_version, every_version_in_all


@pytest.fixture
def site(orders_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a migrated database with its roles, where nobody else has any right; orders_db is the pipeline's."""
    site = make_site(orders_dsn)
    site.provision()
    site.take_from_public()
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", site.uri(site.pipeline))
    return site


@pytest.fixture
def empty_site(empty_dsn: str) -> Site:
    return make_site(empty_dsn)


def is_refused(connection: Connection, statement: str) -> bool:
    """Return whether the server refuses for want of a right; anything else is an error of the test."""
    try:
        connection.execute(statement)
    except InsufficientPrivilege:
        return True
    return False


def readable_tables(site: Site) -> set[str]:
    """Return the tables that the pages' role can read, by reading them."""
    with site.connect(site.web, autocommit=True) as connection:
        return {
            table for table in provision.our_tables() if not is_refused(connection, f"SELECT * FROM {table} LIMIT 1")
        }


@every_version
def test_sync_runs_as_the_pipeline_role(site: Site, sync: Sync) -> None:
    sync.erp.rows = [order("A"), order("B"), order("C", quantity_open=None)]
    sync.run()
    sync.erp.rows = [order("A", customer_name="Renamed"), order("D")]
    # An attempt that outlived its process: its session holds what the next one needs.
    with site.connect(site.pipeline, application_name="open_orders sync open_orders") as left_behind:
        left_behind.execute("LOCK TABLE open_orders_landing")
        sync.run()
        with pytest.raises(psycopg.errors.AdminShutdown):
            left_behind.execute("SELECT 1")
    with site.connect(site.web) as pages:
        assert pages.execute("SELECT order_number FROM open_orders ORDER BY 1").fetchall() == [("A",), ("D",)]
        assert pages.execute("SELECT status, count(*) FROM job_logs GROUP BY 1").fetchall() == [(2, 2)]
        kinds = pages.execute("SELECT kind FROM open_order_changes ORDER BY kind").fetchall()
        assert kinds == [("changed",), ("closed",), ("new",)]


@every_version_in_all
def test_logs_of_dead_runs_are_closed_as_the_pipeline_role(site: Site, execution: Callable[..., Execution]) -> None:
    JobLogHook().open(execution())
    hook = JobLogHook()
    hook.open(execution(dag_id="maintain_job_logs", run_state=lambda _dag_id, _run_id: RunState.OVER))
    assert len(hook.close_dead()) == 1
    assert hook.close_run("maintain_job_logs", hook.execution.run_id, 0, "ended", succeeded=False)


@every_version_in_all
@pytest.mark.parametrize("start", [None, *REVISIONS])
def test_migrations_run_as_the_pipeline_role_and_pages_read_what_they_make(empty_site: Site, start: str | None) -> None:
    if start:
        empty_site.migrate(to=start)
    empty_site.provision()
    empty_site.take_from_public()
    empty_site.provision()
    empty_site.migrate(empty_site.pipeline)
    assert readable_tables(empty_site) == set(provision.readable_tables())
    empty_site.downgrade(empty_site.pipeline, "base")
    empty_site.migrate(empty_site.pipeline)
    assert readable_tables(empty_site) == set(provision.readable_tables())


@every_version_in_all
def test_table_of_a_later_migration_is_readable_at_once(site: Site) -> None:
    with site.connect(site.pipeline) as migration:
        migration.execute("CREATE TABLE of_the_next_release AS SELECT 1 AS n")
    with site.connect(site.web) as pages:
        assert pages.execute("SELECT n FROM of_the_next_release").fetchone() == (1,)


def test_working_tables_are_the_pipelines_alone(site: Site) -> None:
    assert set(provision.our_tables()) - readable_tables(site) == set(provision.working_tables()) != set()


@every_version_in_all
@pytest.mark.parametrize("table", provision.our_tables())
def test_pages_cannot_change_a_table(site: Site, table: str) -> None:
    with site.connect(site.web, autocommit=True) as pages:
        row = pages.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table],
        ).fetchone()
        assert row
        # The role's default is a safeguard, the rights are the wall.
        pages.execute("SET default_transaction_read_only = off")
        for statement in (
            f"INSERT INTO {table} DEFAULT VALUES",
            f"UPDATE {table} SET {row[0]} = DEFAULT",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"COPY {table} FROM STDIN",
            f"COPY {table} TO PROGRAM 'true'",
            f"CREATE INDEX ON {table} ({row[0]})",
            f"ALTER TABLE {table} ADD COLUMN n integer",
            f"DROP TABLE {table}",
            f"COMMENT ON TABLE {table} IS 'mine'",
        ):
            assert is_refused(pages, statement), statement


SERVER = (
    "CREATE TEMPORARY TABLE mine (n integer)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/mine'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    "SELECT pg_reload_conf()",
)
OF_THE_PIPELINE = (
    "CREATE TABLE mine (n integer)",
    "SELECT setval(pg_get_serial_sequence('job_logs', 'id'), 1)",
    "SELECT nextval(pg_get_serial_sequence('job_logs', 'id'))",
)


@every_version_in_all
def test_server_is_out_of_reach_of_both_roles(site: Site) -> None:
    for login, statements in ((site.pipeline, SERVER), (site.web, SERVER + OF_THE_PIPELINE)):
        with site.connect(login, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            assert [statement for statement in statements if not is_refused(connection, statement)] == []


@every_version_in_all
def test_neither_role_ends_the_sessions_of_others_or_acts_for_them(site: Site) -> None:
    for login, other in ((site.web, site.pipeline), (site.pipeline, site.web), (site.pipeline, None)):
        with site.connect(login, autocommit=True) as connection, site.connect(other) as victim:
            assert is_refused(connection, f"SELECT pg_terminate_backend({victim.info.backend_pid})")
            name = victim.info.user.replace('"', '""')
            assert is_refused(connection, f'SET ROLE "{name}"')
            assert victim.execute("SELECT 1").fetchone() == (1,)


@every_version_in_all
def test_pipeline_cannot_touch_the_tables_of_others_in_the_same_database(empty_site: Site) -> None:
    empty_site.execute("CREATE TABLE crm AS SELECT 'theirs' AS name", "CREATE SCHEMA s CREATE TABLE t (n integer)")
    empty_site.provision(shared=True)
    empty_site.migrate(empty_site.pipeline)
    for login in (empty_site.pipeline, empty_site.web):
        with empty_site.connect(login, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            for table in ("crm", "s.t"):
                for statement in (
                    f"SELECT FROM {table}",
                    f"INSERT INTO {table} DEFAULT VALUES",
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table}",
                    f"DROP TABLE {table}",
                    f"ALTER TABLE {table} RENAME TO open_orders_old",
                ):
                    assert is_refused(connection, statement), statement
    assert readable_tables(empty_site) == set(provision.readable_tables())


def test_session_of_the_pages_begins_read_only_and_with_limits(site: Site) -> None:
    with site.connect(site.web, autocommit=True) as pages:
        names = ("default_transaction_read_only", "statement_timeout", "idle_in_transaction_session_timeout")
        found = [pages.execute(f"SHOW {name}").fetchone() for name in names]
        assert found == [("on",), ("2min",), ("1min",)]
        limit = pages.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user").fetchone()
        assert limit == (50,)
