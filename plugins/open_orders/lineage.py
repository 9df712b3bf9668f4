"""Inputs and outputs of a run for OpenLineage, where its provider is installed; without it nothing is done."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.contract import Contract
from open_orders.source_connection import SourceAddress

if TYPE_CHECKING:
    from open_orders.job_log_hook import JobLogHook

PROVIDER = "airflow.providers.openlineage"
# Of names without one: SQL Server's default, and where the migrations make our tables.
SOURCE_SCHEMA, ORDERS_SCHEMA = "dbo", "public"


def report_source(log: JobLogHook, source: MsSqlHook, statement: str) -> None:
    """Report the tables that a source query reads, as the provider's own parser finds them, as inputs of the task."""

    def report() -> None:
        from airflow.providers.openlineage.sqlparser import SQLParser
        from airflow.sdk.lineage import get_hook_lineage_collector

        address = SourceAddress.of(source.connection)
        parser = SQLParser(dialect="mssql", default_schema=SOURCE_SCHEMA)
        parsed = parser.parse(parser.split_sql_string(statement))
        for table in parsed.in_tables if parsed else ():
            names = {
                "database": table.database or address.database,
                "schema": table.schema or SOURCE_SCHEMA,
                "table": table.name,
            }
            get_hook_lineage_collector().add_input_asset(
                context=source, scheme="mssql", asset_kwargs={"host": address.host, "port": address.port, **names}
            )

    _attempt(log, report)


def report_published(log: JobLogHook, contract: Contract) -> None:
    """Report the published table as an output of the task."""

    def report() -> None:
        from airflow.sdk.lineage import get_hook_lineage_collector

        connection = log.connection
        asset = {
            "host": connection.host,
            "port": connection.port or 5432,
            "database": connection.schema,
            "schema": ORDERS_SCHEMA,
            "table": contract.table,
        }
        get_hook_lineage_collector().add_output_asset(context=log, scheme="postgres", asset_kwargs=asset)

    _attempt(log, report)


def _attempt(log: JobLogHook, report: Callable[[], None]) -> None:
    """Report if there is anybody to report to; whatever goes wrong there is no reason for a sync to fail."""
    if not _is_installed():
        return
    try:
        report()
    except Exception as error:  # noqa: BLE001 - the provider's parser and plugins may raise anything
        log.detail(f"Lineage not reported: {type(error).__name__}: {error}", "warning")


def _is_installed() -> bool:
    try:
        return find_spec(PROVIDER) is not None
    except ModuleNotFoundError:
        return False
