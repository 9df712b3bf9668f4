"""Copy the open orders of the ERP (SQL Server) into the table `open_orders` (PostgreSQL).

**What it does.** `connect` opens the job log and checks both databases, `fetch` streams the source query
(`include/sql/source/open_orders.sql`) into a landing table, `truncate` empties staging, `import_batches` validates and
casts batch by batch, and `publish` makes staging the new `open_orders` in one transaction together with the job log's
success. Readers never see a half-loaded table.

**When it fails**, `open_orders` stays as the last successful run left it. The job log (page *Job Logs*) says which step
failed and why; the task logs have the exception. Nothing has to be cleaned up: the next run, five minutes later, starts
afresh.

**How to re-run it.** Trigger it, here or with `airflow dags trigger sync_open_orders`, or clear the failed task
together with those after it; a cleared run continues its job log. A run that refused to publish because the source
looked wrong says which parameter of the trigger form lets it pass.
"""

from __future__ import annotations

from airflow.sdk import dag

from open_orders.contract import OPEN_ORDERS
from open_orders.sync_dag import sync_options, sync_steps


@dag(**sync_options(schedule="*/5 * * * *", doc_md=__doc__))
def sync_open_orders() -> None:
    """Wire the five steps."""
    sync_steps(OPEN_ORDERS, source_connection="erp_mssql")


sync_open_orders()
