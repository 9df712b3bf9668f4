"""The tables of contracts: made from them, where Alembic's revisions do not."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, MetaData, Table, inspect

from open_orders.contract import Contract
from open_orders.models import Base, published_table, working_tables


def create_missing(connection: Connection, contracts: Iterable[Contract]) -> list[str]:
    """Create the tables of these contracts that there are not yet, and return their names."""
    created = []
    for contract in contracts:
        for table in _tables(contract):
            if not inspect(connection).has_table(table.name):
                table.create(connection)
                created.append(table.name)
    return created


def drop(connection: Connection, contracts: Iterable[Contract]) -> None:
    """Drop the tables of these contracts, with their data."""
    for contract in contracts:
        for table in _tables(contract):
            table.drop(connection, checkfirst=True)


def _tables(contract: Contract) -> tuple[Table, ...]:
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    return (published_table(contract, metadata), *working_tables(contract, metadata))
