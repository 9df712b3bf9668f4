"""A full refresh through pandas, run by an environment that has it.

Arguments: source address, query, target address, name of the target's table. Prints the seconds without imports.
"""

import sys
import time

import pandas as pd
import sqlalchemy


def main() -> None:
    """Load what the query yields."""
    source_address, query, target_address, target_table = sys.argv[1:]
    began = time.monotonic()
    with sqlalchemy.create_engine(source_address).connect() as source:
        frame = pd.read_sql(sqlalchemy.text(query), source)
    with sqlalchemy.create_engine(target_address).begin() as target:
        frame.to_sql(target_table, target, if_exists="replace", index=False, chunksize=1000, method="multi")
    print(time.monotonic() - began)


if __name__ == "__main__":
    main()
