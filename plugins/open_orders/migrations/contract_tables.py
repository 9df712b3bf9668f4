"""The tables of contracts: made from them, where Alembic's revisions do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, MetaData, Table

from open_orders.contract import Contract
from open_orders.models import Base, published_table, working_tables
from open_orders.schema_version import compare_tables


def bring_up_to_date(connection: Connection, contracts: Iterable[Contract]) -> None:
    """Create the tables of these contracts that there are not yet, and make working tables anew that differ.

    The latter hold nothing but the rows of a sync that is under way.
    """
    for contract in contracts:
        missing, differing = compare_tables(
            cast("psycopg.Connection[Any]", connection.connection.driver_connection), contract
        )
        for table in _tables(contract):
            is_outdated = table.name in differing and table.name in contract.working_tables
            if is_outdated:
                table.drop(connection)
            if is_outdated or table.name in missing:
                table.create(connection)


def drop(connection: Connection, contracts: Iterable[Contract]) -> None:
    """Drop the tables of these contracts, with their data."""
    for contract in contracts:
        for table in _tables(contract):
            table.drop(connection, checkfirst=True)


def _tables(contract: Contract) -> tuple[Table, ...]:
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    return (published_table(contract, metadata), *working_tables(contract, metadata))
