"""Check Airflow: its database, the DAGs, and who may see the pages."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.errors import ParseImportError
from airflow.utils.db import check_migrations
from airflow.utils.session import create_session
from airflow.version import version
from sqlalchemy import make_url, select
from sqlalchemy.exc import SQLAlchemyError

from open_orders.check.findings import Finding, Outcome, failed, first_line, good, note
from open_orders.contract import OPEN_ORDERS
from open_orders.contracts import find_contracts

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
# Without them history grows and nobody is told; the sync itself goes on.
BESIDES = ("maintain_job_logs", "watch_jobs")


def check_metadata() -> Iterator[Finding]:
    """Check that Airflow's own database can be reached and is that of this version."""
    url = make_url(conf.get_mandatory_value("database", "sql_alchemy_conn"))
    where = f"{url.get_backend_name()} at {url.host}:{url.port}/{url.database}" if url.host else url.get_backend_name()
    try:
        check_migrations(timeout=1)  # type: ignore[no-untyped-call]
    except TimeoutError:
        yield failed(f"Airflow's database ({where}) is not that of Airflow {version}", "Run: airflow db migrate")
    except (SQLAlchemyError, socket.gaierror) as error:
        yield failed(
            f"Airflow's database ({where}) cannot be used: {first_line(error)}",
            "Check AIRFLOW__DATABASE__SQL_ALCHEMY_CONN and that the database runs",
        )
    else:
        yield good(f"Airflow {version}, its database ({where}) is migrated")


def check_dags() -> Iterator[Finding]:
    """Check that the DAGs are known, without import errors, and unpaused."""
    with create_session() as session:
        errors = session.execute(select(ParseImportError.filename, ParseImportError.stacktrace)).all()
        found = {dag.dag_id: dag for dag in session.scalars(select(DagModel))}
        for file, trace in errors:
            lines = (trace or "").strip().splitlines()
            yield failed(
                f"Airflow cannot import {file}: {lines[-1] if lines else 'no reason given'}", "Correct that file"
            )
        for contract in find_contracts():
            dag_id = f"sync_{contract.table}"
            # A DAG of a second table may have any name.
            needed = Outcome.FAILED if contract is OPEN_ORDERS else Outcome.NOTE
            yield _check_dag(dag_id, found.get(dag_id), needed)
        for dag_id in BESIDES:
            yield _check_dag(dag_id, found.get(dag_id), Outcome.NOTE)


def _check_dag(dag_id: str, dag: DagModel | None, otherwise: Outcome) -> Finding:
    """Return the finding on a DAG; `otherwise` is how bad it is when no run of it starts by itself."""
    if dag is None or dag.is_stale:
        advice = "See that the dag-processor runs and that AIRFLOW__CORE__DAGS_FOLDER is the folder dags/"
        return Finding(otherwise, f"Airflow does not know the DAG {dag_id}", advice)
    if dag.has_import_errors:
        return failed(f"The DAG {dag_id} is the one of an earlier version: its file cannot be imported", "See above")
    if dag.is_paused:
        advice = f"Run: airflow dags unpause {dag_id}"
        return Finding(otherwise, f"The DAG {dag_id} is paused: no run starts by itself", advice)
    return good(f"The DAG {dag_id} is there and not paused: {dag.timetable_summary}")


def check_permissions() -> Iterator[Finding]:
    """Check that roles of Airflow may read the pages."""
    if conf.get("core", "auth_manager") != FAB:
        yield note("Airflow's auth manager is not Flask-AppBuilder's: who may read the pages is not checked")
        return

    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    from open_orders.web.permissions import OWN_ROLE, READERS, find_missing

    with get_application_builder() as application_builder:
        missing = find_missing(application_builder.sm)
    if missing:
        yield failed(f"Permissions are not given: {', '.join(missing)}", "Run: bin/permissions")
    else:
        yield good(f"Job Logs and Open Orders can be read by: {', '.join([*READERS, OWN_ROLE])}")
