"""Contracts of further tables to sync: each module here says one, `docs/second_job.md` says how."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from open_orders.contract import OPEN_ORDERS, Contract, ContractDefinitionError


def find_contracts() -> tuple[Contract, ...]:
    """Return all contracts, that of the open orders first, the others in the order of their modules.

    Raises ContractDefinitionError for a module that can't be imported or has no contract, and for tables that clash.
    """
    contracts = [OPEN_ORDERS]
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        contracts += _read(module.name)
    # A module may import another's contract, to take columns from it.
    contracts = list(dict.fromkeys(contracts))
    owners: dict[str, Contract] = {}
    for contract in contracts:
        for table in (contract.table, *contract.working_tables):
            other = owners.setdefault(table, contract)
            if other is not contract:
                raise ContractDefinitionError(
                    f"The contracts {other.table} and {contract.table} share a table: {table}"
                )
    return tuple(contracts)


def _read(name: str) -> Iterator[Contract]:
    """Yield the contracts of a module here."""
    try:
        module = import_module(f"{__name__}.{name}")
    except Exception as error:
        raise ContractDefinitionError(f"Cannot import the contract {name}: {error}") from error
    found = [value for value in vars(module).values() if isinstance(value, Contract) and value is not OPEN_ORDERS]
    if not found:
        raise ContractDefinitionError(f"The module {name} among the contracts has none")
    yield from found
