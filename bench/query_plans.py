"""The plans of the statements that pages executed, values and all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from bench.page_measurement import Demand
from bench.statement_log import Statement

Explained = list[tuple[Statement, str]]


def explain_once(orders: psycopg.Connection[Any], demands: Iterable[Demand]) -> list[Explained]:
    """Return for each page its SELECTs on tables with their plans, leaving out those that an earlier page has in it."""
    seen: set[str] = set()
    found = []
    for demand in demands:
        explained: Explained = []
        for statement in demand.statements:
            if statement.shape not in seen and statement.reads_tables:
                seen.add(statement.shape)
                explained.append((statement, explain(orders, statement)))
        found.append(explained)
    return found


def explain(orders: psycopg.Connection[Any], statement: Statement) -> str:
    """Return the plan of a statement, executed once more."""
    rows = orders.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement.text}".encode()).fetchall()
    return "\n".join(str(line) for (line,) in rows)
