"""The sample ERP's tables, as T-SQL for SQL Server 2017 and later."""

import re
from pathlib import Path

_FOLDER = Path(__file__).parent


def read_batches(name: str) -> tuple[str, ...]:
    """Return the batches of a T-SQL file of this folder, which a line GO separates."""
    text = re.sub(r"^--.*\n", "", (_FOLDER / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(batch.strip().rstrip(";") for batch in re.split(r"^GO$", text, flags=re.MULTILINE))


TABLES = read_batches("tables.sql")

# The rule by which the source query calls a line open.
OPEN_LINE = "Status NOT IN (N'Closed', N'Cancelled') AND QuantityShipped < QuantityOrdered"
