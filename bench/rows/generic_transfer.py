"""Airflow's GenericTransfer, outside of Airflow: `python -m bench.rows.generic_transfer QUERY TARGET_TABLE`.

On the connections of its environment; prints the seconds without imports.
"""

from __future__ import annotations

import sys
import time

from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer


def main(query: str, target_table: str) -> None:
    """Replace the table by what the query yields."""
    began = time.monotonic()
    GenericTransfer(
        task_id="transfer",
        sql=query,
        source_conn_id="erp_mssql",
        destination_conn_id="orders_db",
        destination_table=target_table,
        preoperator=f"TRUNCATE {target_table}",
    ).execute({})
    print(time.monotonic() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
