"""Copy the open purchase orders of the ERP (SQL Server) into the table `open_purchase_orders` (PostgreSQL).

**What it does.** The five steps of `sync_open_orders`, for another contract and another query
(`include/sql/source/open_purchase_orders.sql`).

**When it fails**, `open_purchase_orders` stays as the last successful run left it; the job log says why.

**How to re-run it.** Trigger it, here or with `airflow dags trigger sync_open_purchase_orders`.
"""

from __future__ import annotations

from airflow.sdk import dag

from open_orders.contracts.open_purchase_orders import OPEN_PURCHASE_ORDERS
from open_orders.sync_dag import sync_options, sync_steps


@dag(**sync_options(schedule="*/15 * * * *", doc_md=__doc__))
def sync_open_purchase_orders() -> None:
    """Wire the five steps."""
    sync_steps(OPEN_PURCHASE_ORDERS, source_connection="erp_mssql")


sync_open_purchase_orders()
