"""An ERP for a whole Airflow: the stand-in that replays lines, of which some change from run to run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from unittest.mock import patch

from bench.rows.lines import WARM_UP, Lines
from bench.rows.stand_in import run_stand_in

CHANGED = 0.01


@dataclass(frozen=True)
class ReplayedErp:
    """What the pipeline is told to read: the file of its source query."""

    query: Path

    def show(self, lines: Lines) -> None:
        """Have the next run read these lines."""
        self.query.write_text(f"SET NOCOUNT ON;\n{lines.query};\n")


def take_turns(rows: int) -> Iterator[Lines]:
    """Yield so many lines without end, in which every other time `CHANGED` of them have another price."""
    return cycle((Lines(rows), Lines(rows, CHANGED)))


@contextmanager
def replay_erp(sizes: Sequence[int]) -> Iterator[ReplayedErp]:
    """Yield an ERP with lines of these sizes; meanwhile the environment names it, for a quickstart to take it."""
    tables = [WARM_UP, *(Lines(rows, changed) for rows in sizes for changed in (0.0, CHANGED))]
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        erp = ReplayedErp(Path(made) / "open_orders.sql")
        erp.show(WARM_UP)
        with run_stand_in(list(dict.fromkeys(tables)), Path(made) / "stand-in.log") as source:
            # It signs its certificate itself.
            address = source.address("mssql", trust_server_certificate="true")
            with patch.dict(os.environ, AIRFLOW_CONN_ERP_MSSQL=address, OPEN_ORDERS_SOURCE_SQL=str(erp.query)):
                yield erp
