"""Open orders as files: every row says as of when it is, and no cell can run as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any

import xlsxwriter
from sqlalchemy.engine import Row

from open_orders.contract import OPEN_ORDERS
from open_orders.web.open_order_columns import label_of, to_json

AS_OF = "data_as_of"
HEADINGS = (*OPEN_ORDERS.names, AS_OF)
# https://owasp.org/www-community/attacks/CSV_Injection; the wide ones are what a Japanese Excel takes for them.
FORMULA_SIGNS = "=+-@＝＋－＠"
FORMULA_STARTS = tuple(f"{FORMULA_SIGNS}\t\r\n")
# At the beginning, and where a spreadsheet begins a cell that takes the semicolon for the separator, as Excel does in
# half of Europe: quotes around the text do not hold it together then, and neither they nor spaces stop the formula.
_BEGINS_FORMULA = re.compile(
    rf'^(?=[{re.escape("".join(FORMULA_STARTS))}])|(?:^|(?<=[;\t\r\n]))(?=[\s"]*[{re.escape(FORMULA_SIGNS)}])'
)
# Without one of these nothing begins a formula; it is found faster than looked for where one would begin.
_MAY_BEGIN_FORMULA = re.compile(f"[{re.escape(''.join(FORMULA_STARTS))}]")
SHEET_ROWS = 1_000_000
# Excel's limits: characters of a cell, digits of a number, and the first year it knows.
CELL_CHARACTERS = 32_767
EXACT_DIGITS = 15
FIRST_YEAR = 1900
CHUNK_BYTES = 1 << 16

Batches = Iterable[Sequence[Row[Any]]]


@dataclass(frozen=True)
class Stamp:
    """What an export says about itself; `choice` is the filter as the address has it."""

    as_of: datetime | None
    sync: str | None
    exported_at: datetime
    exported_by: str
    choice: str

    def file_name(self, extension: str) -> str:
        """Return the name to save as: `open_orders_as_of_20261124T093500Z.csv`."""
        moment = f"as_of_{self.as_of:%Y%m%dT%H%M%SZ}" if self.as_of else "never_synced"
        return f"{OPEN_ORDERS.table}_{moment}.{extension}"

    @property
    def as_of_text(self) -> str:
        """The moment that the data is of, in ISO form; empty when nothing was synced."""
        return self.as_of.isoformat(timespec="seconds") if self.as_of else ""


def write_csv(batches: Batches, stamp: Stamp) -> Iterator[bytes]:
    """Yield a CSV file (RFC 4180, UTF-8 with the mark that Excel needs), the stamp as last column of each row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(HEADINGS)
    yield b"\xef\xbb\xbf" + _take(buffer)
    for rows in batches:
        writer.writerows([*map(_csv_cell, row), stamp.as_of_text] for row in rows)
        yield _take(buffer)


def write_xlsx(batches: Batches, stamp: Stamp) -> Iterator[bytes]:
    """Yield an Excel file; it is made on disk first, row by row, because its index is at the end."""
    with TemporaryFile() as file:
        _fill_workbook(file, batches, stamp)
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def neutralise(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: with an apostrophe before what begins one."""
    return _BEGINS_FORMULA.sub("'", text) if _MAY_BEGIN_FORMULA.search(text) else text


def _csv_cell(value: Any) -> Any:
    return neutralise(value) if isinstance(value, str) else to_json(value)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _fill_workbook(file: Any, batches: Batches, stamp: Stamp) -> None:
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"title": f"Open orders as of {stamp.as_of_text}", "author": stamp.exported_by})
        formats: dict[type, Any] = {
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        bold = book.add_format({"bold": True})
        total, line, sheet = 0, 0, _add_sheet(book, 1, bold)
        for rows in batches:
            for row in rows:
                if line == SHEET_ROWS:
                    sheet.autofilter(0, 0, line, len(HEADINGS) - 1)
                    line, sheet = 0, _add_sheet(book, total // SHEET_ROWS + 1, bold)
                line += 1
                total += 1
                for column, value in enumerate(row):
                    _write_cell(sheet, line, column, value, formats)
                sheet.write_string(line, len(HEADINGS) - 1, stamp.as_of_text)
        sheet.autofilter(0, 0, line, len(HEADINGS) - 1)
        _add_about(book, stamp, total, bold)


def _add_sheet(book: Any, number: int, bold: Any) -> Any:
    sheet = book.add_worksheet("Open orders" if number == 1 else f"Open orders {number}")
    sheet.set_column(0, len(HEADINGS) - 1, 16)
    sheet.freeze_panes(1, 2)
    for column, name in enumerate(HEADINGS):
        sheet.write_string(0, column, label_of(name), bold)
    return sheet


def _write_cell(sheet: Any, line: int, column: int, value: Any, formats: dict[type, Any]) -> None:
    if value is None:
        return
    if isinstance(value, str):
        sheet.write_string(line, column, value[:CELL_CHARACTERS])
    elif isinstance(value, date) and value.year >= FIRST_YEAR:
        sheet.write_datetime(line, column, value, formats[type(value)])
    elif isinstance(value, int) or (isinstance(value, Decimal) and _digits(value) <= EXACT_DIGITS):
        sheet.write_number(line, column, float(value))
    else:
        # Excel would round it, or does not know that year: as text it stays what it is.
        sheet.write_string(line, column, str(to_json(value)))


def _digits(value: Decimal) -> int:
    return len(value.normalize().as_tuple().digits)


def _add_about(book: Any, stamp: Stamp, total: int, bold: Any) -> None:
    sheet = book.add_worksheet("About")
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 60)
    facts = (
        ("Data as of", stamp.as_of_text or "never synced"),
        ("Published by sync", stamp.sync or ""),
        ("Rows", f"{total:,}"),
        ("Filter", stamp.choice or "none"),
        ("Exported at", stamp.exported_at.isoformat(timespec="seconds")),
        ("Exported by", stamp.exported_by),
    )
    for line, (name, fact) in enumerate(facts):
        sheet.write_string(line, 0, name, bold)
        sheet.write_string(line, 1, fact[:CELL_CHARACTERS])
