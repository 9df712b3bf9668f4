from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest

from open_orders.contract import OPEN_ORDERS
from open_orders.web import exports
from tests.integration.erp import order
from tests.web.open_orders import publish
from tests.web.web_client import WebClient

Orders = psycopg.Connection[Any]
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
FORMULA = '=HYPERLINK("http://evil.example")'


def read_csv(web: WebClient, query: str = "") -> list[dict[str, str]]:
    answer = web.get(f"/open_orders/export.csv{query}", accept="*/*")
    assert answer.status_code == 200
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def read_xlsx(web: WebClient, query: str = "") -> dict[str, list[list[tuple[str, str]]]]:
    """Return each sheet's rows of (type, text) cells."""
    answer = web.get(f"/open_orders/export.xlsx{query}", accept="*/*")
    assert answer.status_code == 200
    sheets = {}
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        names = [
            sheet.attrib["name"] for sheet in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
        ]
        for number, name in enumerate(names, start=1):
            tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(tree.iter(f"{MAIN}f")), "a formula"
            sheets[name] = [
                [(cell.attrib.get("t", "n"), "".join(cell.itertext())) for cell in row]
                for row in tree.iter(f"{MAIN}row")
            ]
    return sheets


def test_csv_has_all_filtered_rows_in_order_stamped_with_the_as_of_time(web: WebClient, orders: Orders) -> None:
    synced, name = publish(orders, *(order(f"SO{number:04}", number % 7) for number in range(2500)), order("X1"))
    rows = read_csv(web, "?q=SO&sort=-order_number")
    assert [row["order_number"] for row in rows] == [f"SO{number:04}" for number in reversed(range(2500))]
    assert list(rows[0]) == [*OPEN_ORDERS.names, "data_as_of"]
    [(started,)] = orders.execute("SELECT started_at FROM job_logs WHERE id = %s", [synced]).fetchall()
    assert {datetime.fromisoformat(row["data_as_of"]) for row in rows} == {started.replace(microsecond=0)}
    answer = web.get("/open_orders/export.csv", accept="*/*")
    assert f'filename="open_orders_as_of_{started:%Y%m%dT%H%M%S}Z.csv"' in answer.headers["content-disposition"]
    assert name == f"{started:%Y%m%d_%H%M%S}"


def test_csv_values_are_exact(web: WebClient, orders: Orders) -> None:
    row = order(
        "SO1", quantity_open=Decimal("-0.5000"), item_description='a "quoted", text\nof two lines', item_code=None
    )
    publish(orders, row)
    [found] = read_csv(web)
    assert found["quantity_open"] == "-0.5000"
    assert found["item_description"] == 'a "quoted", text\nof two lines'
    assert (found["item_code"], found["due_date"]) == ("", "2026-11-20")
    assert found["source_updated_at"] == "2026-11-01T12:30:15.123456"


@pytest.mark.parametrize("start", exports.FORMULA_STARTS)
def test_text_that_begins_a_formula_is_neutralised_in_csv(start: str) -> None:
    assert exports.neutralise(f"{start}1+1").startswith("'")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        " =1+1",
        '"=1+1',
        "a;=1+1",
        "a; =1+1",
        'a;"=cmd|x!A1"',
        "a;-1+1;@SUM(A1)",
        "a\n=1+1",
        "a\r+1",
        "a\t=1+1",
        'a",=1;=1',
        "a;\u00a0=1",
    ],
)
def test_no_cell_is_a_formula_whatever_the_spreadsheet_takes_for_the_separator(
    web: WebClient, orders: Orders, text: str
) -> None:
    publish(orders, order(text or "x", customer_name=text))
    file = web.get("/open_orders/export.csv", accept="*/*").content.decode("utf-8-sig")
    # As a spreadsheet would that knows no quotes but at the beginning of a cell, and as one that knows none.
    careless = [cell for line in re.split(r"[\r\n]+", file) for cell in re.split(r"[;\t]", line)]
    careful = [cell for row in csv.reader(io.StringIO(file, newline=""), delimiter=";") for cell in row]
    for cell in [*careless, *careful, *(cell for row in csv.reader(io.StringIO(file, newline="")) for cell in row)]:
        assert not cell.strip().strip('"').strip().startswith(("=", "+", "-", "@")), cell


def test_text_with_separators_that_begin_no_formula_stays_as_it_is() -> None:
    for text in ("a; b; 5-7", "Pipe, -40 °C", "x=1;y=2", "a+b@c", "O'Neill; Ltd", "1;2"):
        assert exports.neutralise(text) == text


def test_characters_that_xml_cannot_hold_do_not_spoil_the_file(web: WebClient, orders: Orders) -> None:
    publish(orders, order("SO1", customer_name="a\x01\x1b\x0b\ufffe\uffff\u2028<&>", item_code="_x0041_"))
    texts = [text for _, text in read_xlsx(web)["Open orders"][1]]
    assert any(text.startswith("a") and text.endswith("<&>") for text in texts)


def test_formulas_do_not_run_in_either_file(web: WebClient, orders: Orders) -> None:
    publish(orders, order(FORMULA, customer_name="@SUM(A1)", item_code="-1+1", warehouse="W=1"))
    [row] = read_csv(web)
    assert row["order_number"] == f"'{FORMULA}"
    assert (row["customer_name"], row["item_code"], row["warehouse"]) == ("'@SUM(A1)", "'-1+1", "W=1")
    cells = read_xlsx(web)["Open orders"][1]
    assert cells[0] == ("inlineStr", FORMULA)


def test_xlsx_has_types_and_says_what_it_is(web: WebClient, orders: Orders) -> None:
    _, name = publish(
        orders,
        order("SO1", amount_open=Decimal("123456789012345.6789"), due_date=date(1800, 1, 1), item_code=None),
        order("SO2"),
    )
    sheets = read_xlsx(web, "?customer=C1")
    heading, first, second = sheets["Open orders"]
    assert [text for _, text in heading][:2] == ["Order number", "Line number"]
    assert len(first) == len(OPEN_ORDERS.names)
    texts = [text for _, text in first]
    assert "123456789012345.6789" in texts
    assert "1800-01-01" in texts
    assert ("n", "1234") in second
    facts = {row[0][1]: row[1][1] for row in sheets["About"]}
    assert facts["Published by sync"] == name
    assert (facts["Rows"], facts["Filter"], facts["Exported by"]) == ("2", "customer=C1", "Ada Admin")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$", facts["Data as of"])


def test_xlsx_goes_on_in_another_sheet_when_one_is_full(
    web: WebClient, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "SHEET_ROWS", 2)
    publish(orders, *(order(f"SO{number}") for number in range(5)))
    sheets = read_xlsx(web)
    assert {name: len(rows) - 1 for name, rows in sheets.items() if name != "About"} == {
        "Open orders": 2,
        "Open orders 2": 2,
        "Open orders 3": 1,
    }


def test_export_of_nothing_is_a_file_with_headings(web: WebClient) -> None:
    assert read_csv(web) == []
    assert len(read_xlsx(web)["Open orders"]) == 1


def test_export_is_streamed_in_a_constant_number_of_queries(web: WebClient, orders: Orders, queries: list[str]) -> None:
    publish(orders, order())
    read_csv(web)
    few = len(queries)
    publish(orders, *(order(f"T{number}") for number in range(3000)), name="20990101_000000", run_id="another")
    queries.clear()
    assert len(read_csv(web)) == 3001
    assert len(queries) == few
