"""Tests of other modules again, in a database that is set to Turkish, where the small letter of I is not i."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from open_orders.migrations.__main__ import migrate
from sandbox.debian import find_program
from sandbox.postgres import EmbeddedPostgres
from tests.integration.postgres_versions import NEWEST, OLDER
from tests.integration.test_sync import (  # noqa: F401 - tests
    test_duplicate_keys_import_the_first_row_across_batches,
    test_next_run_touches_only_what_changed,
    test_row_that_breaks_the_contract_is_rejected_with_column_and_value,
)
from tests.web.test_open_orders_list import (  # noqa: F401 - tests
    test_filters_and_search_find_what_they_say,
    test_paging_visits_every_row_once_in_any_order_with_rows_without_value_last,
    test_totals_are_of_what_is_filtered,
)

LANGUAGE = "tr_TR.UTF-8"


@pytest.fixture(scope="session", params=[OLDER, NEWEST])
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Yield a PostgreSQL that knows the rules of Turkish."""
    place = tmp_path_factory.mktemp("languages")
    _make_language(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCPATH", str(place))
        data_dir = tmp_path_factory.mktemp("postgres") / "data"
        with EmbeddedPostgres(data_dir, version=request.param, settings={"fsync": "off"}) as server:
            yield server


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> str:
    """Return the name of a database in Turkish at the newest revision."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE turkish TEMPLATE template0 LOCALE_PROVIDER libc LOCALE '{LANGUAGE}'")
    engine = create_engine(postgres.dsn("turkish").replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    return "turkish"


def test_database_is_in_turkish(orders: psycopg.Connection) -> None:
    assert orders.execute("SELECT lower('I'), 'ç' < 'd'").fetchone() == ("ı", True)


def _make_language(place: Path) -> None:
    # Only for what it stands on: the descriptions of the languages.
    find_program(("locale-gen",), "locales", "The rules of Turkish")
    language, charmap = LANGUAGE.split(".")
    command = ["localedef", "--no-archive", "-i", language, "-f", charmap, str(place / LANGUAGE)]
    subprocess.run(command, check=True)
