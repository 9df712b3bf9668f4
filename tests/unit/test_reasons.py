from __future__ import annotations

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowTaskTimeout
from psycopg import errors

from open_orders.errors import SourceError
from open_orders.reasons import describe_exception, explain


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SourceError("SQL Server closed the connection"), "SQL Server closed the connection"),
        (AirflowTaskTimeout("60"), "The step took longer than its time limit and was stopped"),
        (AirflowNotFoundException("The conn_id `x` isn't defined"), "isn't defined: add the connection in Airflow"),
        (errors.DiskFull("could not extend file\nHINT: free space"), "disk of the orders database is full (could not"),
        (errors.LockNotAvailable("canceling"), "kept a table locked"),
        (errors.QueryCanceled("canceling"), "took longer than the time limit"),
        (errors.InsufficientPrivilege("permission denied"), "lacks a right"),
        (psycopg.OperationalError("connection refused"), "can't be reached or closed the connection (connection refus"),
        (psycopg.DataError(""), "refused a statement (DataError)"),
        (KeyError("x"), "Unexpected error: KeyError: 'x'"),
    ],
)
def test_reason_is_plain(error: BaseException, says: str) -> None:
    assert says in explain(error)
    assert "\n" not in explain(error)


def test_description_names_the_exception_that_caused_it() -> None:
    try:
        try:
            raise KeyError("deep")
        except KeyError as error:
            raise SourceError("plain") from error
    except SourceError as error:
        assert describe_exception(error) == "builtins.KeyError: 'deep'"
