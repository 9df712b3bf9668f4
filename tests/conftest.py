from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Airflow reads these when it is first imported.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parents[1] / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(Path(__file__).parents[1] / "plugins")
for name in [name for name in os.environ if name.startswith(("OPEN_ORDERS_", "AIRFLOW_CONN_"))]:
    del os.environ[name]

from sandbox.postgres import EmbeddedPostgres  # noqa: E402


@pytest.fixture(scope="session", params=[18])
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Yield a started PostgreSQL with durability off; its data is gone afterwards."""
    data_dir = tmp_path_factory.mktemp("postgres with space") / "data"
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with EmbeddedPostgres(data_dir, version=request.param, settings=settings) as server:
        yield server
