from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pymssql
import pytest

from sandbox.tds.batches import Conditional, Statement, split_batch
from sandbox.tds.collations import UTF8
from sandbox.tds.engine import EngineError, ResultSet, UnknownDatabaseError
from sandbox.tds.literal_inserts import read_literal_insert
from sandbox.tds.postgres_engine import PostgresEngine
from sandbox.tds.postgres_session import PostgresSession
from sandbox.tds.server import StandInServer
from tests.integration.purchase_orders import COLUMN_TYPES, ERP_STATEMENTS, QUERY_FILE
from tests.sandbox.tds_client import BareClient, Connect, last_done

CREATE_CUSTOMERS = """CREATE TABLE dbo.Customers (
    CustomerId int NOT NULL PRIMARY KEY, CustomerCode varchar(20) NOT NULL, CustomerName nvarchar(120) NULL)"""
CREATE_LINES = """CREATE TABLE [dbo].[Order Lines] (
    OrderId int NOT NULL, LineNumber int NOT NULL, CustomerId int NOT NULL, DueDate date NULL,
    Quantity decimal(18,4) NOT NULL, Shipped decimal(18,4) NOT NULL DEFAULT 0, UnitPrice money NOT NULL,
    Currency char(3) NOT NULL, Status nvarchar(20) NOT NULL, UpdatedAt datetime2(3) NOT NULL,
    CONSTRAINT PK_Lines PRIMARY KEY CLUSTERED (OrderId, LineNumber ASC)) ON [PRIMARY]"""
LINES = """INSERT INTO [dbo].[Order Lines] VALUES
    (1, 1, 10, '2024-01-05', 10.5, 0, 1.25, 'TRY', N'Open', '2024-01-01T10:00:00.123'),
    (1, 2, 10, NULL, 3, 3, 100, 'TRY', N'Closed', '2024-01-02T10:00:00'),
    (2, 1, 20, '2024-03-01', 7, 2, 0.3333, 'EU', N'Partially shipped', '2024-01-03T10:00:00')"""

ENDLESS = "WITH n AS (SELECT CAST(1 AS bigint) AS i UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


def run(cursor: Any, batch: str) -> list[Any]:
    """Return the rows of the batch's last result set."""
    cursor.execute(batch)
    rows: list[Any] = []
    while True:
        if cursor.description is not None:
            rows = cursor.fetchall()
        if not cursor.nextset():
            return rows


def read_number(cursor: Any, batch: str) -> int:
    with pytest.raises(pymssql.Error) as failure:
        run(cursor, batch)
    return int(failure.value.args[0])


@pytest.fixture
def orders(erp: Any, erp_dsn: str) -> Iterator[Any]:
    """Yield a cursor in a database with two customers and three order lines."""
    run(erp, CREATE_CUSTOMERS)
    run(erp, CREATE_LINES)
    run(erp, "INSERT dbo.Customers VALUES (10, 'C10', N'Öztürk 東京 😀'), (20, 'C20', NULL)")
    run(erp, LINES)
    yield erp
    end_sessions(erp_dsn)
    with psycopg.connect(erp_dsn) as admin:
        admin.execute('DROP TABLE IF EXISTS dbo.customers, dbo."order lines"')


@pytest.fixture
def session(erp_dsn: str) -> Iterator[PostgresSession]:
    opened = PostgresEngine(erp_dsn).connect("ERP")
    yield opened
    opened.close()


def end_sessions(dsn: str) -> None:
    """End all other connections to the database: their locks would keep its tables."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def describe(session: PostgresSession, batch: str) -> list[str]:
    """Return name and type of each column of the batch's last result set."""
    described: list[str] = []
    for outcome in session.execute(batch):
        if isinstance(outcome, ResultSet):
            described = [f"{column.name} {column.type}".strip() for column in outcome.columns]
            list(outcome.rows)
    return described


# T-SQL expression, what comes back
EXPRESSIONS: list[tuple[str, Any]] = [
    ("1", 1),
    ("N'ş東😀' + ' ' + 'x'", "ş東😀 x"),
    ("'it''s'", "it's"),
    ("NULL", None),
    ("7 / 2", 3),
    ("7 % 4", 3),
    ("7.0 / 2", Decimal("3.500000")),
    ("5 & 6", 4),
    ("5 ^ 6", 3),
    ("0x1F00", b"\x1f\x00"),
    ("CAST(1.9 AS int)", 1),
    ("CAST(-1.9 AS int)", -1),
    ("CAST(2.5e0 AS bigint)", 2),
    ("CAST('12' AS int)", 12),
    ("CAST(2.345 AS decimal(5,2))", Decimal("2.35")),
    ("CAST(5 AS bit)", True),
    ("CAST('false' AS bit)", False),
    ("CAST(1.005 AS money)", Decimal("1.0050")),
    ("CAST('abcdef' AS varchar(3))", "abc"),
    ("CAST('ab' AS char(4))", "ab  "),
    ("CAST('2024-02-29' AS date)", dt.date(2024, 2, 29)),
    ("CAST('20240229' AS date)", dt.date(2024, 2, 29)),
    ("CAST('2024-02-29 23:59:59.999' AS datetime)", dt.datetime(2024, 3, 1)),
    ("CAST('2024-02-29T01:02:03.1234567' AS datetime2(4))", dt.datetime(2024, 2, 29, 1, 2, 3, 123500)),
    ("CAST('2024-02-29 01:00 +03:00' AS datetimeoffset(0))", dt.datetime(2024, 2, 28, 22, tzinfo=dt.UTC)),
    ("CAST('01:02:03' AS time(0))", dt.time(1, 2, 3)),
    (
        "CAST('01234567-89AB-CDEF-0123-456789ABCDEF' AS uniqueidentifier)",
        uuid.UUID(int=0x0123456789ABCDEF0123456789ABCDEF),
    ),
    ("CONVERT(decimal(19, 4), 1.23456)", Decimal("1.2346")),
    ("CONVERT(varchar(10), CAST('2024-02-29' AS date), 23)", "2024-02-29"),
    ("CONVERT(varchar(10), CAST('2024-02-29 10:11:12' AS datetime), 120)", "2024-02-29"),
    ("CONVERT(varchar(30), CAST('2024-02-29 10:11:12' AS datetime), 120)", "2024-02-29 10:11:12"),
    ("CONVERT(varchar(30), CAST('2024-02-29 10:11:12.345' AS datetime2(3)), 121)", "2024-02-29 10:11:12.345"),
    ("CONVERT(nvarchar(30), CAST('2024-02-29 10:11:12.345' AS datetime2(3)), 126)", "2024-02-29T10:11:12.345"),
    ("CONVERT(varchar(30), CAST('2024-02-29 10:11:12' AS datetime), 126)", "2024-02-29T10:11:12"),
    ("CONVERT(varchar(10), CAST('2024-02-29' AS date), 104)", "29.02.2024"),
    ("CONVERT(char(8), CAST('2024-02-29' AS date), 112)", "20240229"),
    ("CONVERT(varchar(8), CAST('2024-02-29 10:11:12' AS datetime), 108)", "10:11:12"),
    ("CONVERT(date, '29.02.2024', 104)", dt.date(2024, 2, 29)),
    ("CONVERT(date, '02/29/2024', 101)", dt.date(2024, 2, 29)),
    ("CONVERT(varchar(20), 0x1F, 1)", "0x1F"),
    ("TRY_CONVERT(int, 'x')", None),
    ("TRY_CONVERT(int, '12')", 12),
    ("TRY_CAST('2024-13-01' AS date)", None),
    ("TRY_CAST('1.5' AS decimal(5, 2))", Decimal("1.50")),
    ("ISNULL(NULL, 'x')", "x"),
    ("COALESCE(NULL, NULL, 3)", 3),
    ("NULLIF(1, 1)", None),
    ("IIF(2 > 1, 'yes', 'no')", "yes"),
    ("CASE WHEN 1 = 2 THEN 1 WHEN 1 = 1 THEN 2 END", 2),
    ("CASE 3 WHEN 3 THEN N'ü' ELSE 'x' END", "ü"),
    ("LEN('ab  ')", 2),
    ("LEN(N'東京')", 2),
    ("RTRIM('ab  ') + LTRIM('  cd') + TRIM(' ef ')", "abcdef"),
    ("UPPER('abc') + LOWER('DEF')", "ABCdef"),
    ("SUBSTRING('abcdef', 2, 3)", "bcd"),
    ("LEFT('abc', 2) + RIGHT('abc', 1)", "abc"),
    ("REPLACE('a-b', '-', '+')", "a+b"),
    ("CHARINDEX('c', 'abc')", 3),
    ("STUFF('abcd', 2, 2, 'X')", "aXd"),
    ("REPLICATE('ab', 2) + SPACE(1) + REVERSE('ab')", "abab ba"),
    ("CONCAT('a', NULL, 1, N'ş')", "a1ş"),
    ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
    ("ABS(-5)", 5),
    ("ROUND(1.2345, 2)", Decimal("1.23")),
    ("CEILING(1.2) + FLOOR(1.8)", Decimal(3)),
    ("DATEADD(day, -1, CAST('2024-03-01' AS date))", dt.date(2024, 2, 29)),
    ("DATEADD(MM, 1, CAST('2024-01-31' AS date))", dt.date(2024, 2, 29)),
    ("DATEADD(hour, 25, CAST('2024-01-01' AS datetime2(0)))", dt.datetime(2024, 1, 2, 1)),
    ("DATEADD(ms, 1500, CAST('2024-01-01' AS datetime2(3)))", dt.datetime(2024, 1, 1, 0, 0, 1, 500_000)),
    ("DATEDIFF(day, '2024-01-01', '2024-03-01')", 60),
    ("DATEDIFF(year, '2023-12-31', '2024-01-01')", 1),
    ("DATEDIFF(month, '2024-01-31', '2024-02-01')", 1),
    ("DATEDIFF(week, '2024-01-06', '2024-01-07')", 1),
    ("DATEDIFF(minute, '2024-01-01 00:00:59', '2024-01-01 00:01:00')", 1),
    ("DATEDIFF(second, '2024-01-01', '2024-01-02')", 86_400),
    ("DATEPART(weekday, '2024-01-07')", 1),
    ("DATEPART(quarter, '2024-05-01')", 2),
    ("YEAR('2024-05-06') * 10000 + MONTH('2024-05-06') * 100 + DAY('2024-05-06')", 20_240_506),
    ("EOMONTH('2024-02-03')", dt.date(2024, 2, 29)),
    ("DATEFROMPARTS(2024, 2, 29)", dt.date(2024, 2, 29)),
    ("CAST('2024-01-01' AS datetime) + 1", dt.datetime(2024, 1, 2)),
    ("ISNUMERIC('1.5')", 1),
    ("DB_NAME()", "ERP"),
    ("SERVERPROPERTY('ProductVersion')", "16.0.1000.6"),
    ("@@TRANCOUNT", 0),
    ("(SELECT MAX(v) FROM (VALUES (1), (3), (2)) AS t(v))", 3),
    ("'x' COLLATE Latin1_General_BIN", "x"),
]


@pytest.mark.parametrize(("expression", "value"), EXPRESSIONS)
def test_expression_gives_what_sql_server_gives(erp: Any, expression: str, value: Any) -> None:
    [(given,)] = run(erp, f"SELECT {expression} AS it")

    assert given == value
    assert type(given) is type(value)


@pytest.mark.parametrize(
    "clock", ["GETDATE()", "SYSDATETIME()", "SYSUTCDATETIME()", "GETUTCDATE()", "CURRENT_TIMESTAMP"]
)
def test_clocks_tell_a_time_without_zone(erp: Any, clock: str) -> None:
    [(now, same)] = run(erp, f"SELECT {clock}, CASE WHEN {clock} <= DATEADD(second, 1, GETDATE()) THEN 1 ELSE 0 END")

    assert now.tzinfo is None
    assert same == 1


def test_sysdatetimeoffset_has_its_zone(erp: Any) -> None:
    [(now,)] = run(erp, "SELECT SYSDATETIMEOFFSET()")

    assert now.utcoffset() == dt.timedelta(0)


class TestTypes:
    def test_table_columns_come_back_as_they_were_made(self, session: PostgresSession) -> None:
        columns = [
            *("bit", "tinyint", "smallint", "int", "bigint", "decimal(18, 4)", "decimal(9, 0)", "money", "smallmoney"),
            *("real", "float", "date", "time(3)", "datetime", "smalldatetime", "datetime2(3)", "datetimeoffset(0)"),
            *("char(3)", "varchar(20)", "varchar(max)", "nchar(4)", "nvarchar(30)", "nvarchar(max)", "text", "ntext"),
            *("uniqueidentifier", "binary(4)", "varbinary(10)", "varbinary(max)", "image"),
        ]
        definition = ", ".join(f"C{index} {spelling} NULL" for index, spelling in enumerate(columns))
        list(session.execute(f"DROP TABLE IF EXISTS dbo.Typed; CREATE TABLE dbo.Typed ({definition})"))

        described = describe(session, "SELECT * FROM dbo.Typed")

        expected = [f"C{index} {spelling}" for index, spelling in enumerate(columns)]
        assert described == expected

    @pytest.mark.usefixtures("orders")
    @pytest.mark.parametrize(
        ("expression", "sql_type"),
        [
            ("Quantity - Shipped", "decimal(19, 4)"),
            ("UnitPrice", "money"),
            ("SUM(UnitPrice)", "money"),
            ("Quantity * UnitPrice", "decimal(38, 8)"),
            ("SUM(Quantity)", "decimal(38, 4)"),
            ("Quantity / Shipped", "decimal(38, 20)"),
            ("COUNT(*)", "int"),
            ("COUNT_BIG(*)", "bigint"),
            ("AVG(LineNumber)", "int"),
            ("ISNULL(DueDate, '1900-01-01')", "date"),
            ("RTRIM(Currency)", "varchar(3)"),
            ("UPPER(Status)", "nvarchar(20)"),
            ("Status + N'!'", "nvarchar(21)"),
            ("CASE WHEN 1 = 1 THEN Status ELSE 'x' END", "nvarchar(20)"),
            ("MAX(UpdatedAt)", "datetime2(3)"),
            ("CAST(Quantity AS float)", "float"),
            ("CONVERT(decimal(19, 4), Quantity * UnitPrice)", "decimal(19, 4)"),
            ("ROW_NUMBER() OVER (ORDER BY LineNumber)", "bigint"),
        ],
    )
    def test_expressions_have_sql_servers_types(self, session: PostgresSession, expression: str, sql_type: str) -> None:
        batch = f"WITH o AS (SELECT * FROM [dbo].[Order Lines]) SELECT {expression} AS it FROM o"
        if any(name in expression for name in ("SUM(", "COUNT", "AVG(", "MAX(")):
            [described] = describe(session, batch)
        else:
            [described] = describe(session, f"{batch} WHERE Shipped > 0")

        assert described == f"it {sql_type}"

    def test_scalar_of_a_union_covers_both_sides(self, session: PostgresSession) -> None:
        batch = "SELECT CAST(1 AS decimal(9, 2)) AS a UNION ALL SELECT CAST(1 AS decimal(12, 4))"

        assert describe(session, batch) == ["a decimal(12, 4)"]

    def test_collation_of_the_engine_is_that_of_its_columns(self, erp_dsn: str) -> None:
        utf8 = PostgresEngine(erp_dsn, collation=UTF8).connect("ERP")
        [result] = list(utf8.execute("SELECT CAST(N'東' AS varchar(10)) AS a"))
        utf8.close()

        assert isinstance(result, ResultSet)
        assert result.columns[0].type.collation == UTF8

    def test_names_keep_the_querys_spelling(self, orders: Any) -> None:
        batch = "SELECT orderid, LineNumber AS [Line No], Quantity + 1, 5, Shipped, shipped FROM [Order Lines]"
        run(orders, batch)
        orders.execute(batch)

        assert [column[0] for column in orders.description] == ["orderid", "Line No", "", "", "Shipped", "shipped"]
        orders.fetchall()

    def test_star_keeps_the_tables_spelling(self, orders: Any) -> None:
        orders.execute("SELECT c.*, x.* FROM dbo.customers c CROSS APPLY (SELECT customerid AS [My Id]) x")

        names = [column[0] for column in orders.description]
        assert names == ["CustomerId", "CustomerCode", "CustomerName", "My Id"]
        assert len(orders.fetchall()) == 2


class TestQueries:
    def test_whole_source_query_as_a_user_writes_it(self, orders: Any) -> None:
        rows = run(
            orders,
            """-- open orders
            SET NOCOUNT ON
            SET LOCK_TIMEOUT 5000
            SET DEADLOCK_PRIORITY LOW
            DECLARE @closed nvarchar(20) = N'Closed', @days int
            SET @days = 30 /* of grace */
            ;WITH open_lines AS (
                SELECT l.*, l.Quantity - l.Shipped AS [Quantity Open]
                FROM ERP.dbo.[Order Lines] AS l WITH (NOLOCK, INDEX(PK_Lines))
                WHERE l.Status <> @closed AND l.Shipped < l.Quantity
            )
            SELECT RTRIM(c.CustomerCode) + '/' + CONVERT(varchar(10), o.OrderId) AS order_number,
                ISNULL(c.CustomerName, N'–') AS customer_name, o.[Quantity Open] AS quantity_open,
                amount = CONVERT(decimal(19, 4), o.[Quantity Open] * o.UnitPrice),
                CASE WHEN DATEADD(day, @days, o.DueDate) < '2024-03-01' THEN 'late' ELSE '' END AS late
            FROM open_lines o
            INNER JOIN dbo.Customers c ON c.CustomerId = o.CustomerId
            ORDER BY o.OrderId, o.LineNumber
            OPTION (RECOMPILE, MAXDOP 1)""",
        )

        assert rows == [
            ("C10/1", "Öztürk 東京 😀", Decimal("10.5000"), Decimal("13.1250"), "late"),
            ("C20/2", "–", Decimal("5.0000"), Decimal("1.6665"), ""),
        ]
        assert run(orders, "SELECT @@ROWCOUNT AS n") == [(2,)]

    @pytest.mark.parametrize(
        ("query", "rows"),
        [
            ("SELECT TOP 1 OrderId FROM [Order Lines] ORDER BY OrderId DESC", [(2,)]),
            ("SELECT TOP (2) LineNumber FROM [Order Lines] ORDER BY OrderId, LineNumber", [(1,), (2,)]),
            ("SELECT TOP 2 DueDate FROM [Order Lines] ORDER BY DueDate", [(None,), (dt.date(2024, 1, 5),)]),
            ("SELECT OrderId FROM [Order Lines] ORDER BY OrderId OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY", [(2,)]),
            ("SELECT DISTINCT OrderId FROM [Order Lines] ORDER BY 1", [(1,), (2,)]),
            ("SELECT OrderId, COUNT(*) FROM [Order Lines] GROUP BY OrderId HAVING COUNT(*) > 1", [(1, 2)]),
            (
                "SELECT c.CustomerId, x.LineNumber FROM Customers c OUTER APPLY (SELECT TOP 1 l.LineNumber FROM"
                " [Order Lines] l WHERE l.CustomerId = c.CustomerId AND l.Status = 'Closed') x ORDER BY 1",
                [(10, 2), (20, None)],
            ),
            (
                "SELECT l.OrderId, SUM(l.LineNumber) OVER (PARTITION BY l.OrderId ORDER BY l.LineNumber) AS s"
                " FROM [Order Lines] l ORDER BY 1, 2",
                [(1, 1), (1, 3), (2, 1)],
            ),
            (
                "SELECT STRING_AGG(Status, '|') WITHIN GROUP (ORDER BY OrderId, LineNumber) FROM [Order Lines]",
                [("Open|Closed|Partially shipped",)],
            ),
            ("SELECT 1 WHERE EXISTS (SELECT * FROM Customers WHERE CustomerName LIKE N'%東%')", [(1,)]),
            ("SELECT CustomerId FROM Customers WHERE CustomerCode IN ('C20', 'C30')", [(20,)]),
            ("SELECT a FROM (VALUES (1), (2)) v(a) EXCEPT SELECT 1", [(2,)]),
            ("SELECT Currency FROM [Order Lines] WHERE Currency = 'EU'", [("EU ",)]),
            ("SELECT l.Status FROM dbo.[Order Lines] l LEFT JOIN Customers c ON c.CustomerId = 5 WHERE OrderId = 2",
             [("Partially shipped",)]),
        ],
    )  # fmt: skip
    def test_query_gives_its_rows(self, orders: Any, query: str, rows: list[Any]) -> None:
        assert run(orders, query) == rows

    def test_several_statements_give_several_results(self, orders: Any) -> None:
        orders.execute("SELECT 1 AS a SELECT 2 AS b; PRINT 'between'; SELECT 3 AS c")
        seen = [orders.fetchall()]
        while orders.nextset():
            seen.append(orders.fetchall())

        assert seen == [[(1,)], [(2,)], [(3,)]]

    def test_variables_are_set_by_declare_set_and_select(self, orders: Any) -> None:
        batch = """DECLARE @n int = 5, @name nvarchar(50), @none date
            SET @n += 2
            SELECT @name = CustomerName, @n = @n * 10 FROM dbo.Customers WHERE CustomerId = 10
            SELECT @n, @name, @none, @@ROWCOUNT"""

        assert run(orders, batch) == [(70, "Öztürk 東京 😀", None, 1)]

    def test_if_takes_its_branch(self, orders: Any) -> None:
        batch = """IF (SELECT COUNT(*) FROM dbo.Customers) > {}
            BEGIN
                SELECT 'many' AS a
                SELECT 'really many' AS a
            END
            ELSE IF 1 = 1 SELECT 'few' AS a
            ELSE SELECT 'never' AS a"""

        assert run(orders, batch.format(1)) == [("really many",)]
        assert run(orders, batch.format(5)) == [("few",)]

    def test_catalog_tells_which_tables_there_are(self, orders: Any) -> None:
        assert run(orders, "SELECT name FROM sys.tables WHERE name = 'Order Lines'") == [("Order Lines",)]
        columns = "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'Customers' ORDER BY 1 DESC"
        assert run(orders, columns) == [("CustomerName",), ("CustomerId",), ("CustomerCode",)]
        assert run(orders, "SELECT TOP 1 TABLE_CATALOG FROM INFORMATION_SCHEMA.TABLES") == [("ERP",)]

    @pytest.mark.parametrize(
        ("name", "exists"),
        [
            ("dbo.Customers", True),
            ("customers", True),
            ("[ERP].[dbo].[Order Lines]", True),
            ("dbo.Nothing", False),
            ("nowhere.Customers", False),
            ("tempdb..#Mine", True),
            ("tempdb..#Yours", False),
        ],
    )
    def test_object_id_tells_whether_a_table_exists(self, orders: Any, name: str, exists: bool) -> None:
        run(orders, "CREATE TABLE #Mine (a int)")

        [(found,)] = run(orders, f"SELECT OBJECT_ID(N'{name}')")
        assert (found is not None) == exists

    def test_large_result_streams(self, session: PostgresSession) -> None:
        # Recursive, and without end as far as a test is concerned.
        batch = "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT i FROM n"
        outcomes = session.execute(batch)
        result = next(outcomes)
        assert isinstance(result, ResultSet)
        rows = iter(result.rows)

        assert [next(rows) for _ in range(3)] == [(1,), (2,), (3,)]
        outcomes.close()  # type: ignore[attr-defined]


class TestChanges:
    def test_rows_touched_are_told(self, orders: Any) -> None:
        orders.execute("UPDATE dbo.[Order Lines] SET Status = N'Open' WHERE OrderId = 1")
        assert orders.rowcount == 2
        assert run(orders, "SELECT @@ROWCOUNT") == [(2,)]
        orders.execute("DELETE FROM dbo.[Order Lines] WHERE OrderId = 3")
        assert orders.rowcount == 0

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE l SET l.Status = c.CustomerCode FROM dbo.[Order Lines] l JOIN Customers c"
            " ON c.CustomerId = l.CustomerId WHERE c.CustomerId = 10",
            "UPDATE dbo.[Order Lines] SET Status = 'C10' WHERE CustomerId = 10",
            "UPDATE [Order Lines] SET [Order Lines].Status = c.CustomerCode FROM Customers c"
            " WHERE c.CustomerId = [Order Lines].CustomerId AND c.CustomerId = 10",
        ],
    )
    def test_update_reaches_joined_rows_only(self, orders: Any, change: str) -> None:
        run(orders, change)

        statuses = run(orders, "SELECT Status FROM [Order Lines] ORDER BY OrderId, LineNumber")
        assert statuses == [("C10",), ("C10",), ("Partially shipped",)]

    @pytest.mark.parametrize(
        "change",
        [
            "DELETE l FROM dbo.[Order Lines] AS l INNER JOIN Customers c ON c.CustomerId = l.CustomerId"
            " WHERE c.CustomerCode = 'C10'",
            "DELETE FROM dbo.[Order Lines] WHERE CustomerId = 10",
            "DELETE dbo.[Order Lines] WHERE CustomerId = 10",
        ],
    )
    def test_delete_reaches_joined_rows_only(self, orders: Any, change: str) -> None:
        run(orders, change)

        assert run(orders, "SELECT OrderId FROM [Order Lines]") == [(2,)]

    def test_select_into_makes_a_temporary_table_of_this_session(self, orders: Any, connect_erp: Connect) -> None:
        run(orders, "SELECT OrderId, Status INTO #Mine FROM [Order Lines]; DELETE FROM #Mine WHERE OrderId = 1")

        assert run(orders, "SELECT * FROM #Mine") == [(2, "Partially shipped")]
        assert read_number(connect_erp().cursor(), "SELECT * FROM #Mine") == 208

    def test_insert_of_a_thousand_literal_rows_keeps_every_value(self, orders: Any) -> None:
        run(orders, "CREATE TABLE #Many (Id int, Name nvarchar(20), Raw varbinary(4), Amount money)")
        text = "N'it''s ş ; -- ' "
        values = ", ".join(f"({n}, {text}, 0x0{n % 10}FF, -{n}.25)" for n in range(1000))
        run(orders, f"INSERT INTO #Many (Id, Name, Raw, Amount) VALUES {values}")

        assert run(orders, "SELECT COUNT(*), MIN(Name), MAX(Raw), SUM(Amount) FROM #Many WHERE Id < 10") == [
            (10, "it's ş ; -- ", b"\x09\xff", Decimal("-47.5000"))
        ]

    def test_merge_inserts_updates_and_deletes(self, orders: Any) -> None:
        run(
            orders,
            """MERGE dbo.Customers AS t USING (VALUES (10, 'NEW'), (30, 'C30')) AS s (Id, Code) ON t.CustomerId = s.Id
            WHEN MATCHED THEN UPDATE SET t.CustomerCode = s.Code
            WHEN NOT MATCHED BY TARGET THEN INSERT (CustomerId, CustomerCode) VALUES (s.Id, s.Code)
            WHEN NOT MATCHED BY SOURCE THEN DELETE;""",
        )

        codes = run(orders, "SELECT CustomerId, CustomerCode FROM dbo.Customers ORDER BY 1")
        assert codes == [(10, "NEW"), (30, "C30")]

    def test_added_column_remembers_its_type(self, orders: Any, session: PostgresSession) -> None:
        run(orders, "ALTER TABLE dbo.Customers ADD CreditLimit money NULL")

        assert describe(session, "SELECT CreditLimit FROM dbo.Customers") == ["CreditLimit money"]


class TestTransactions:
    def test_rollback_takes_changes_back(self, orders: Any) -> None:
        run(orders, "BEGIN TRAN; DELETE FROM dbo.Customers; ROLLBACK")

        assert run(orders, "SELECT COUNT(*) FROM dbo.Customers") == [(2,)]

    @pytest.mark.usefixtures("orders")
    def test_drivers_own_transaction_commits_and_rolls_back(self, connect_erp: Connect) -> None:
        connection = connect_erp(autocommit=False)
        cursor = connection.cursor()
        run(cursor, "UPDATE dbo.Customers SET CustomerCode = 'X' WHERE CustomerId = 10")
        connection.commit()
        run(cursor, "UPDATE dbo.Customers SET CustomerCode = 'Y' WHERE CustomerId = 10")
        connection.rollback()

        assert run(cursor, "SELECT CustomerCode FROM dbo.Customers WHERE CustomerId = 10") == [("X",)]

    @pytest.mark.usefixtures("orders")
    def test_failed_statement_does_not_spoil_its_transaction(self, connect_erp: Connect) -> None:
        connection = connect_erp(autocommit=False)
        cursor = connection.cursor()
        run(cursor, "UPDATE dbo.Customers SET CustomerCode = 'X' WHERE CustomerId = 10")
        assert read_number(cursor, "INSERT INTO dbo.Customers VALUES (10, 'twice', NULL)") == 2627
        assert read_number(cursor, "SELECT 1 / 0 AS n") == 8134
        connection.commit()

        assert run(cursor, "SELECT CustomerCode FROM dbo.Customers WHERE CustomerId = 10") == [("X",)]

    def test_connection_that_leaves_rolls_back(self, orders: Any, connect_erp: Connect) -> None:
        leaving = connect_erp()
        run(leaving.cursor(), "BEGIN TRAN; DELETE FROM dbo.Customers")
        leaving.close()

        assert run(orders, "SELECT COUNT(*) FROM dbo.Customers") == [(2,)]

    def test_lock_timeout_is_error_1222(self, orders: Any, connect_erp: Connect) -> None:
        run(orders, "BEGIN TRAN; UPDATE dbo.Customers SET CustomerCode = 'X' WHERE CustomerId = 10")
        waiting = connect_erp().cursor()
        blocked = "SET LOCK_TIMEOUT 50; UPDATE dbo.Customers SET CustomerCode = 'Y' WHERE CustomerId = 10"

        assert read_number(waiting, blocked) == 1222
        assert read_number(waiting, "SET LOCK_TIMEOUT 0; DELETE FROM dbo.Customers") == 1222
        run(orders, "ROLLBACK")

    def test_deadlock_chooses_a_victim_with_1205(self, orders: Any, connect_erp: Connect) -> None:
        other = connect_erp().cursor()
        change = "UPDATE dbo.Customers SET CustomerCode = 'X' WHERE CustomerId = {}"
        run(orders, "BEGIN TRAN; " + change.format(10))
        run(other, "BEGIN TRAN; " + change.format(20))
        numbers: list[int] = []

        def cross(cursor: Any, customer: int) -> None:
            try:
                run(cursor, change.format(customer))
            except pymssql.Error as error:
                numbers.append(error.args[0])
            run(cursor, "ROLLBACK")

        crossing = threading.Thread(target=cross, args=(other, 10))
        crossing.start()
        cross(orders, 20)
        crossing.join()

        assert numbers == [1205]


class TestErrors:
    @pytest.mark.parametrize(
        ("batch", "number"),
        [
            ("SELECT * FROM dbo.Nothing", 208),
            ("SELECT * FROM Payroll.dbo.Customers", 208),
            ("SELECT Nothing FROM dbo.Customers", 207),
            ("SELECT CustomerId FROM dbo.Customers a, dbo.Customers b", 209),
            ("SELECT FROM WHERE", 102),
            ("SELEC 1", 102),
            ("SELECT 'open", 105),
            ("SELECT 1 / 0 AS n", 8134),
            ("SELECT CAST('x' AS int)", 8114),
            ("SELECT CAST(99999999999 AS int)", 8115),
            ("SELECT CAST('2024-13-45' AS date)", 242),
            ("INSERT INTO dbo.Customers VALUES (10, 'twice', NULL)", 2627),
            ("INSERT INTO dbo.Customers VALUES (30, NULL, NULL)", 515),
            ("INSERT INTO dbo.Customers VALUES (30, 'much too long for twenty', NULL)", 2628),
            ("CREATE TABLE dbo.Customers (Id int)", 2714),
            ("SELECT @undeclared", 137),
            ("SELECT @@UNHEARD_OF", 137),
            ("SELECT dbo.UnheardOf(1)", 195),
            ("SELECT CAST(1 AS geometry)", 243),
            ("EXEC sp_who", 50000),
            ("WHILE 1 = 1 SELECT 1", 50000),
            ("DECLARE @t TABLE (a int)", 50000),
            ("SET ROWCOUNT 10", 50000),
            ("SELECT CustomerId FROM dbo.Customers FOR JSON PATH", 50000),
            ("INSERT INTO dbo.Customers (CustomerId) OUTPUT inserted.CustomerId VALUES (1)", 50000),
        ],
    )
    def test_error_has_sql_servers_number(self, orders: Any, batch: str, number: int) -> None:
        assert read_number(orders, batch) == number
        assert run(orders, "SELECT COUNT(*) FROM dbo.Customers") == [(2,)]

    def test_error_while_rows_stream_comes_after_them(self, orders: Any) -> None:
        orders.execute(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 6000) SELECT 100 / (5000 - i) FROM n"
        )
        received = 0
        with pytest.raises(pymssql.OperationalError) as failure:
            for _ in orders:
                received += 1

        assert failure.value.args[0] == 8134
        # The row before the failing one may be lost with PostgreSQL's batch of rows that it failed in.
        assert received % 1000 == 0
        assert 0 < received < 5000

    def test_statements_before_the_failed_one_stay(self, orders: Any) -> None:
        assert read_number(orders, "DELETE FROM dbo.Customers WHERE CustomerId = 20 SELECT 1 / 0 AS n") == 8134

        assert run(orders, "SELECT CustomerId FROM dbo.Customers") == [(10,)]

    def test_postgresql_that_does_not_answer_refuses_the_session(self) -> None:
        engine = PostgresEngine("postgresql://nobody@127.0.0.1:9/none?connect_timeout=5")

        with pytest.raises(EngineError, match="does not answer"):
            engine.connect("ERP")

    def test_unknown_database_is_refused(self, erp_dsn: str) -> None:
        with pytest.raises(UnknownDatabaseError):
            PostgresEngine(erp_dsn).connect("Payroll")

    def test_lost_postgresql_connection_is_an_error_and_the_server_lives(
        self, orders: Any, connect_erp: Connect, erp_dsn: str
    ) -> None:
        end_sessions(erp_dsn)
        assert read_number(orders, "SELECT COUNT(*) FROM dbo.Customers") == 50000
        cursor = connect_erp().cursor()

        assert run(cursor, "SELECT COUNT(*) FROM dbo.Customers") == [(2,)]


def test_nul_is_refused_before_postgresql_cuts_the_statement_there(session: PostgresSession) -> None:
    with pytest.raises(EngineError, match="NUL"):
        list(session.execute("SELECT N'a\0b'"))


def test_attention_ends_the_query_in_postgresql_and_the_session_goes_on(erp_server: StandInServer) -> None:
    with BareClient(erp_server.port) as client:
        for _ in range(5):
            client.send_batch(ENDLESS)
            client.send_attention()
            assert last_done(client.read_reply()).acknowledges_attention
        client.send_batch("SELECT 1 AS a")

        assert last_done(client.read_reply()).rows == 1


def test_query_timeout_of_the_driver_ends_the_query(connect_erp: Connect) -> None:
    with pytest.raises(pymssql.OperationalError) as failure:
        connect_erp(timeout=1).cursor().execute(ENDLESS)

    assert failure.value.args[0] in {20003, 20047}


@pytest.mark.parametrize(
    ("batch", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        (";;", []),
        ("-- nothing", []),
        ("SET NOCOUNT ON SELECT 1 SELECT 2", ["SET NOCOUNT ON", "SELECT 1", "SELECT 2"]),
        ("SELECT 1 UNION ALL SELECT 2 SELECT 3", ["SELECT 1 UNION ALL SELECT 2", "SELECT 3"]),
        ("INSERT INTO t SELECT a FROM b SELECT 1", ["INSERT INTO t SELECT a FROM b", "SELECT 1"]),
        ("INSERT t VALUES (1) SELECT 1", ["INSERT t VALUES (1)", "SELECT 1"]),
        ("UPDATE t SET a = 1 SET @x = 2", ["UPDATE t SET a = 1", "SET @x = 2"]),
        ("WITH c AS (SELECT 1 AS a) DELETE t DELETE u", ["WITH c AS (SELECT 1 AS a) DELETE t", "DELETE u"]),
        ("SELECT a FROM t WITH (NOLOCK) SELECT b", ["SELECT a FROM t WITH (NOLOCK)", "SELECT b"]),
        ("DECLARE @d date = GETDATE() SELECT @d", ["DECLARE @d date = GETDATE()", "SELECT @d"]),
        ("SELECT [SET], 'SELECT; 1', x.[DELETE] FROM t", ["SELECT [SET], 'SELECT; 1', x.[DELETE] FROM t"]),
        ("SELECT CASE WHEN 1=1 THEN 1 ELSE 2 END SELECT 2", ["SELECT CASE WHEN 1=1 THEN 1 ELSE 2 END", "SELECT 2"]),
        ("CREATE TABLE t (a int REFERENCES b ON DELETE CASCADE) DROP TABLE IF EXISTS t",
         ["CREATE TABLE t (a int REFERENCES b ON DELETE CASCADE)", "DROP TABLE IF EXISTS t"]),
        ("CREATE VIEW v AS SELECT 1 AS a", ["CREATE VIEW v AS SELECT 1 AS a"]),
    ],
)  # fmt: skip
def test_batch_is_cut_where_statements_begin(batch: str, statements: list[str]) -> None:
    nodes = split_batch(batch)

    assert [node.text for node in nodes if isinstance(node, Statement)] == statements
    assert not [node for node in nodes if isinstance(node, Conditional)]


def test_statement_knows_its_line() -> None:
    assert [node.line for node in split_batch("SELECT 1\n\nSELECT 2;\nIF 1 = 1\n SELECT 3")] == [1, 3, 4]


@pytest.mark.parametrize(
    "batch",
    [
        "INSERT INTO t VALUES (GETDATE())",
        "INSERT INTO t VALUES (1) SELECT 1",
        "INSERT INTO t VALUES (1); DROP TABLE t",
        "INSERT INTO t VALUES ('a''); DROP TABLE t --')",
        "INSERT INTO t SELECT 1",
        "INSERT INTO t VALUES (@x)",
    ],
)
def test_insert_of_more_than_literals_takes_the_long_way(batch: str) -> None:
    insert = read_literal_insert(batch)

    assert insert is None or "DROP" in insert.values


def test_shipped_source_query_runs_on_the_sample_schema(erp: Any) -> None:
    from sandbox.erp.schema import TABLES

    names = [table.split()[2] for table in TABLES]
    for name in reversed(names):
        run(erp, f"DROP TABLE IF EXISTS {name}")
    for table in TABLES:
        run(erp, table)
    query = Path(__file__).parents[2].joinpath("include/sql/source/open_orders.sql").read_text(encoding="utf-8")

    erp.execute(query)

    assert "order_number" in [column[0] for column in erp.description]
    assert erp.fetchall() == []
    for name in reversed(names):
        run(erp, f"DROP TABLE {name}")


def test_query_of_the_second_contracts_example_runs_and_yields_its_columns(erp: Any) -> None:
    for statement in ERP_STATEMENTS:
        run(erp, statement)
    erp.execute(QUERY_FILE.read_text(encoding="utf-8"))
    assert [column[0] for column in erp.description] == list(COLUMN_TYPES)
    rows = sorted(erp.fetchall())
    assert [(row[0], row[1], str(row[6]), str(row[7])) for row in rows] == [
        ("", 1, "1.0000", "1.0000"),
        ("PO1", 1, "7.5000", "24.3750"),
        ("PO2", 1, "1.0000", "99.9000"),
    ]
    for table in ("PurchaseOrderLines", "PurchaseOrders", "Suppliers"):
        run(erp, f"DROP TABLE dbo.{table}")
