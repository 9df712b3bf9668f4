"""Which driver a run reads with: mssql-python where it can be used, pymssql otherwise, and the job log says so."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from open_orders.errors import ConnectionSettingsError
from open_orders.source import open_source
from open_orders.source_driver import choose_driver
from open_orders.source_mssql_python import what_is_missing
from sandbox.tds import encryption
from tests.integration.driver_process import DriverProcess
from tests.integration.erp import MSSQL_PYTHON, PYMSSQL, Erp, Sync, order
from tests.integration.outcome import Database, messages, published


def hide_package(patch: pytest.MonkeyPatch) -> str:
    find = importlib.util.find_spec
    patch.setattr(importlib.util, "find_spec", lambda name: None if name == "mssql_py_core" else find(name))
    return "mssql-python-rs is not installed"


def break_library(patch: pytest.MonkeyPatch) -> str:
    def load(_name: str) -> Any:
        raise OSError("libssl.so.3: cannot open shared object file")

    patch.setattr(ctypes, "CDLL", load)
    return "a library of the operating system is missing (libssl.so.3: cannot open shared object file)"


def ask_for_other_provider(patch: pytest.MonkeyPatch) -> str:
    patch.setenv("MSSQL_PYTHON_NATIVE_PROVIDER", "odbc18")
    return "MSSQL_PYTHON_NATIVE_PROVIDER is 'odbc18'; unset it"


@pytest.fixture(params=[hide_package, break_library, ask_for_other_provider])
def missing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Make mssql-python unusable, and yield why it is."""
    what_is_missing.cache_clear()
    with monkeypatch.context() as patch:
        yield request.param(patch)
    what_is_missing.cache_clear()


def use(erp: Erp, patch: pytest.MonkeyPatch, driver: str) -> None:
    patch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address(driver=driver))


def test_mssql_python_is_the_usual_one(erp: Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    use(erp, monkeypatch, "")
    assert choose_driver(MsSqlHook("erp_mssql").connection).kind == MSSQL_PYTHON


def test_run_reads_through_pymssql_where_the_usual_one_can_not_be_used(
    erp: Erp, sync: Sync, orders: Database, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(erp, monkeypatch, "")
    erp.rows = [order("SO1")]
    sync.run(run_id="it")
    assert published(orders) == ["SO1"]
    [told] = [message for message in messages(orders, "it") if message.startswith("Connecting to SQL Server")]
    assert re.search(r"through pymssql [\d.]+ \(mssql-python can't be used: ", told)
    assert missing in told


def test_run_that_asks_for_what_can_not_be_used_says_so(
    erp: Erp, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(erp, monkeypatch, MSSQL_PYTHON)
    expected = f"The connection erp_mssql asks for the driver mssql-python, which can't be used: {missing}"
    with pytest.raises(ConnectionSettingsError, match=re.escape(expected)):
        choose_driver(MsSqlHook("erp_mssql").connection)


@pytest.mark.both_drivers
def test_job_log_names_the_driver(erp: Erp, sync: Sync, orders: Database) -> None:
    erp.rows = [order()]
    sync.run(run_id="it")
    other = {MSSQL_PYTHON: PYMSSQL, PYMSSQL: MSSQL_PYTHON}[erp.driver]
    [told] = [message for message in messages(orders, "it") if message.startswith("Connecting to SQL Server")]
    assert f"through {erp.driver} " in told
    assert other not in told


def test_certificate_of_an_authority_that_is_known_is_taken(
    erp: Erp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(encryption.certificate())
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    with DriverProcess() as driver:
        assert driver.read(erp.address(trust_server_certificate="false"), erp.query_file).rows == 0


def test_authorities_are_read_only_where_the_certificate_is_checked(
    erp: Erp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorities = tmp_path / "authorities.pem"
    # Whoever reads from it waits forever.
    os.mkfifo(authorities)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    with DriverProcess() as driver:
        assert driver.read(erp.address(trust_server_certificate="true"), erp.query_file).rows == 0


def test_environment_is_as_before_once_connected(erp: Erp) -> None:
    for authorities in (None, "/etc/ssl/of-the-plant.pem"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_ERP_MSSQL", erp.address())
            if authorities is None:
                patch.delenv("SSL_CERT_FILE", raising=False)
            else:
                patch.setenv("SSL_CERT_FILE", authorities)
            with open_source(MsSqlHook("erp_mssql")):
                assert os.environ.get("SSL_CERT_FILE") == authorities
