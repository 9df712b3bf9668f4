"""A full refresh through dlt's source of SQL databases, run by an environment that has dlt.

Arguments: backend, source address, table, its columns' T-SQL types as JSON, target address, name of the target's table,
directory for dlt's state. Prints the seconds without imports.
"""

import json
import re
import sys
import time
from typing import Any

import dlt
import sqlalchemy as sa
from dlt.sources.sql_database import sql_table

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_OTHERS = {"int": sa.Integer(), "date": sa.Date(), "datetime2(6)": sa.DateTime()}


def main() -> None:
    """Load the table."""
    backend, source_address, table, columns, target_address, target_table, directory = sys.argv[1:]
    began = time.monotonic()
    # Given, not reflected: the stand-in has no catalog for SQLAlchemy to read.
    metadata = sa.MetaData(schema="dbo")
    sa.Table(table, metadata, *(sa.Column(name, _read_type(kind)) for name, kind in json.loads(columns).items()))
    direct = {"backend_kwargs": {"conn": source_address.replace("+pymssql", "")}} if backend == "connectorx" else {}
    resource = sql_table(source_address, table=table, schema="dbo", metadata=metadata, backend=backend, **direct)
    pipeline = dlt.pipeline(
        pipeline_name=target_table,
        pipelines_dir=directory,
        destination=dlt.destinations.postgres(target_address),
        dataset_name="public",
    )
    pipeline.run(resource, table_name=target_table, write_disposition="replace").raise_on_failed_jobs()
    print(time.monotonic() - began)


def _read_type(kind: str) -> Any:
    if decimal := _DECIMAL.fullmatch(kind):
        return sa.Numeric(int(decimal[1]), int(decimal[2]))
    return _OTHERS.get(kind) or sa.String()


if __name__ == "__main__":
    main()
