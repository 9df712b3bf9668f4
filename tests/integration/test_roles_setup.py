"""What bin/roles does to a database, and when it refuses to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from open_orders.migrations.__main__ import main as migrate_command
from open_orders.models import Base
from open_orders.roles.__main__ import main
from open_orders.roles.provision import Login, RolesError, our_tables, provision_metadata, readable_tables
from open_orders.schema_version import VERSION_TABLE
from sandbox.postgres import EmbeddedPostgres
from tests.integration.database_roles import Site, make_login, make_site

OWNERS = "SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
RIGHTS = """SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT datname, datacl::text FROM pg_database WHERE datname = current_database()
            UNION ALL SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = 'public'
            UNION ALL SELECT 'default', defaclacl::text FROM pg_default_acl ORDER BY 1, 2"""


@pytest.fixture
def site(orders_dsn: str) -> Site:
    """Return a deployment from before: the tables are the superuser's."""
    return make_site(orders_dsn)


@pytest.fixture
def empty_site(empty_dsn: str) -> Site:
    return make_site(empty_dsn)


def state(site: Site) -> list[list[tuple[object, ...]]]:
    with site.connect() as connection:
        return [connection.execute(statement).fetchall() for statement in (OWNERS + " ORDER BY 1", RIGHTS)]


def test_every_table_of_the_models_is_ours() -> None:
    assert set(our_tables()) == {*Base.metadata.tables, VERSION_TABLE}
    assert {"job_logs", "open_orders", VERSION_TABLE} <= set(readable_tables())


def test_tables_of_the_old_login_are_brought_over_with_indexes_and_sequences(site: Site) -> None:
    done = site.provision()
    assert f"{site.pipeline.role} took over {len(our_tables())} tables from postgres" in done
    with site.connect() as connection:
        assert {owner for _, owner in connection.execute(OWNERS)} == {site.pipeline.role}


def test_second_time_changes_nothing(site: Site) -> None:
    site.provision()
    once = state(site)
    said = " ".join(site.provision())
    assert state(site) == once
    assert "created" not in said
    assert "took over" not in said


def test_password_is_that_of_the_connection_and_without_one_it_stays(site: Site) -> None:
    site.provision()
    site.connect(site.web).close()
    changed = Site(site.admin_dsn, site.pipeline, Login(site.web.role, "another"))
    changed.provision()
    changed.connect(changed.web).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        site.connect(site.web)
    Site(site.admin_dsn, site.pipeline, Login(site.web.role)).provision()
    changed.connect(changed.web).close()


def test_password_stays_out_of_the_server_log(site: Site, postgres: EmbeddedPostgres) -> None:
    logging = Site(f"{site.admin_dsn}?options=-c%20log_statement%3Dall", site.pipeline, site.web)
    logging.provision()
    text = postgres.log_file.read_text()
    assert f'CREATE ROLE "{site.web.role.replace(chr(34), chr(34) * 2)}"' in text
    assert site.web.password.replace("'", "''") not in text
    assert site.web.password not in text


def test_role_with_more_rights_than_it_needs_keeps_none_of_them(site: Site) -> None:
    site.create_role(site.web)
    for what in ("ALL TABLES IN SCHEMA public", "SCHEMA public", f"DATABASE {site.database}"):
        site.execute_for(site.web, f"GRANT ALL ON {what} TO {{}}")
    site.provision()
    with site.connect(site.web, autocommit=True) as pages:
        pages.execute("SET default_transaction_read_only = off")
        for statement in ("DELETE FROM job_logs", "CREATE TABLE mine (n integer)", "CREATE SCHEMA mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                pages.execute(statement)


@pytest.mark.parametrize("power", ["SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS"])
@pytest.mark.parametrize("who", ["pipeline", "web"])
def test_role_with_powers_is_refused_and_nothing_changes(site: Site, who: str, power: str) -> None:
    site.create_role(getattr(site, who), power)  # type: ignore[arg-type]
    before = state(site)
    with pytest.raises(RolesError, match=f"has {power}, which it does not need"):
        site.provision()
    assert state(site) == before


def test_pages_need_a_role_of_their_own(site: Site) -> None:
    with pytest.raises(RolesError, match="log in with the same role"):
        Site(site.admin_dsn, site.pipeline, site.pipeline).provision()


def test_right_that_comes_from_elsewhere_is_named_and_nothing_changes(site: Site) -> None:
    site.execute("GRANT UPDATE ON open_orders TO PUBLIC")
    before = state(site)
    with pytest.raises(RolesError, match=f"{site.web.role} has UPDATE on open_orders"):
        site.provision()
    assert state(site) == before


def test_role_that_can_read_everything_is_refused(site: Site) -> None:
    site.create_role(site.web, "LOGIN IN ROLE pg_read_all_data")
    with pytest.raises(RolesError, match=f"{site.web.role} has SELECT on open_orders_landing"):
        site.provision()


def test_database_of_the_pipeline_becomes_the_administrators(site: Site) -> None:
    site.create_role(site.pipeline)
    site.execute_for(site.pipeline, f"ALTER DATABASE {site.database} OWNER TO {{}}")
    assert any("belongs to postgres now" in sentence for sentence in site.provision())
    with site.connect(site.pipeline, autocommit=True) as pipeline, pytest.raises(psycopg.errors.InsufficientPrivilege):
        pipeline.execute("CREATE SCHEMA mine")


def test_who_has_to_do_with_the_tables_can_connect_as_before(site: Site) -> None:
    reports, columns, owner, shut_out = (make_login(kind) for kind in ("reports", "columns", "owner", "shut out"))
    for login in (reports, columns, owner, shut_out):
        site.create_role(login)
    site.execute_for(reports, "GRANT SELECT ON open_orders TO {}")
    site.execute_for(columns, "GRANT SELECT (order_number) ON open_orders TO {}")
    site.execute_for(owner, "CREATE SCHEMA AUTHORIZATION {} CREATE TABLE customers (n integer)")
    kept = ", ".join(sorted(login.role for login in (reports, columns, owner)))
    assert f"as before: {kept}" in " ".join(site.provision())
    for login, statement in (
        (reports, "SELECT FROM open_orders"),
        (columns, "SELECT order_number FROM open_orders"),
        (owner, "CREATE TEMPORARY TABLE scratch AS TABLE customers"),
    ):
        with site.connect(login) as guest:
            guest.execute(f'SET search_path = public, "$user"; {statement}')
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        site.connect(shut_out)


def test_who_could_not_connect_before_cannot_either(site: Site) -> None:
    former = make_login("former")
    site.create_role(former)
    site.execute_for(former, "GRANT SELECT ON open_orders TO {}")
    site.take_from_public()
    site.provision()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        site.connect(former)


def test_shared_database_is_open_as_before(site: Site) -> None:
    stranger = make_login("stranger")
    site.create_role(stranger)
    site.provision(shared=True)
    with site.connect(stranger) as other:
        other.execute("CREATE TEMPORARY TABLE scratch (n integer)")


def test_table_that_only_has_a_name_of_ours_is_left_to_its_owner(empty_site: Site) -> None:
    empty_site.execute("CREATE TABLE open_orders (of_another_application integer)")
    empty_site.provision()
    with empty_site.connect() as connection:
        assert dict(connection.execute(OWNERS).fetchall())["open_orders"] == "postgres"


def test_administrator_who_is_no_superuser_but_owns_the_database_can_do_it(empty_site: Site) -> None:
    admin = make_login("administrator")
    empty_site.create_role(admin, "LOGIN CREATEROLE")
    empty_site.execute_for(admin, f"ALTER DATABASE {empty_site.database} OWNER TO {{}}")
    managed = Site(empty_site.address(admin), empty_site.pipeline, empty_site.web)
    managed.migrate(to="0002")
    managed.provision()
    managed.migrate(managed.pipeline)
    managed.provision()
    with managed.connect(managed.web) as pages:
        assert pages.execute("SELECT FROM open_order_changes").fetchall() == []
    with managed.connect() as connection:
        row = connection.execute("SELECT pg_has_role(%s, 'USAGE')", [managed.pipeline.role]).fetchone()
        assert row == (False,)


def test_administrator_of_another_database_is_told_what_is_missing(site: Site) -> None:
    admin = make_login("administrator")
    site.create_role(admin, "LOGIN CREATEROLE")
    before = state(site)
    with pytest.raises((RolesError, psycopg.errors.InsufficientPrivilege)):
        Site(site.address(admin), site.pipeline, site.web).provision()
    assert state(site) == before


def test_airflows_database_is_its_roles_alone(site: Site, empty_dsn: str) -> None:
    site.provision()
    airflow = make_login("airflow")
    metadata = Site(empty_dsn, airflow, airflow)
    metadata.execute("CREATE TABLE dag_run (id serial)", "CREATE VIEW runs AS SELECT id FROM dag_run")
    for _ in range(2):
        with metadata.connect() as connection:
            provision_metadata(connection, airflow)
    with metadata.connect(airflow) as own:
        own.execute("ALTER TABLE dag_run ADD COLUMN state text; DROP VIEW runs; CREATE TABLE added (n integer)")
        assert own.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
    for there, stranger in ((metadata, site.pipeline), (metadata, site.web), (site, airflow)):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            there.connect(stranger)


def test_airflows_role_does_not_get_a_database_with_orders_in_it(site: Site) -> None:
    with pytest.raises(RolesError, match="holds the orders tables, too"), site.connect() as connection:
        provision_metadata(connection, make_login("airflow"))


@pytest.fixture
def command(site: Site, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return the environment of an administrator who is about to call bin/roles."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", site.uri(site.pipeline))
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB_WEB", site.uri(site.web))
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setenv("PGPASSWORD", postgres.password_file.read_text())
    return monkeypatch


def test_command_line_does_it_and_keeps_the_passwords_to_itself(
    site: Site, command: pytest.MonkeyPatch, postgres: EmbeddedPostgres, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    printed = capfd.readouterr()
    assert f"Role {site.web.role} created" in printed.out
    assert f"{site.web.role} may read job_logs, " in printed.out
    for password in (site.pipeline.password, site.web.password, postgres.password_file.read_text()):
        assert password not in printed.out + printed.err
        assert quote(password, safe="") not in printed.out + printed.err
    assert migrate_command([]) == 0


def test_command_line_says_what_is_wrong(
    site: Site, command: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command.setenv("PGPASSWORD", "wrong")
    assert main([]) == 1
    assert 'password authentication failed for user "postgres"' in capsys.readouterr().err
    command.delenv("AIRFLOW_CONN_ORDERS_DB_WEB")
    assert main([]) == 1
    assert "orders_db_web" in capsys.readouterr().err
    command.setenv("AIRFLOW_CONN_ORDERS_DB_WEB", "postgres://127.0.0.1/orders")
    assert main([]) == 1
    assert "The connection orders_db_web names no user" in capsys.readouterr().err


def test_command_line_says_what_to_do_about_a_table_in_use(
    site: Site, command: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command.setattr("open_orders.roles.provision.LOCK_TIMEOUT", "10ms")
    with site.connect() as syncing:
        syncing.execute("LOCK TABLE open_orders_staging")
        assert main([]) == 1
    assert "pause the DAG sync_open_orders" in capsys.readouterr().err
    assert main([]) == 0


def test_command_line_gives_airflow_its_database(
    site: Site, command: pytest.MonkeyPatch, empty_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow = make_login("airflow")
    metadata = Site(empty_dsn, airflow, airflow)
    uri = metadata.uri(airflow).replace("postgres://", "postgresql+psycopg2://")
    command.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", uri)
    assert main(["airflow"]) == 0
    assert f"{airflow.role} owns Airflow's database {metadata.database}" in capsys.readouterr().out
    metadata.connect(airflow).close()
    command.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////tmp/airflow.db")
    assert main(["airflow"]) == 1
    assert "expected to be a PostgreSQL address" in capsys.readouterr().err


def test_wrong_usage_is_refused_before_anything_happens(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["airflow", "--shared"], ["erp"], ["--drop"]):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "PGPASSWORD" in capsys.readouterr().out


def test_migration_without_rights_says_who_gives_them(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.create_role(site.pipeline)
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", site.uri(site.pipeline))
    assert migrate_command([]) == 1
    said = capsys.readouterr().err
    assert "may not migrate the orders database" in said
    assert "permission denied for table open_orders_alembic_version" in said
    assert "bin/roles" in said


def test_every_statement_is_used() -> None:
    root = Path(__file__).parents[2]
    code = "".join(file.read_text() for file in (root / "plugins" / "open_orders" / "roles").glob("*.py"))
    for file in (root / "include" / "sql" / "roles").glob("*.sql"):
        assert f'"{file.stem}"' in code or f'"roles/{file.stem}"' in code, file.name
