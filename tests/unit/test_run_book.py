"""The run book (docs/operate.md) has every message that can be written, and none that can't."""

from __future__ import annotations

import re

from tests.unit.messages import PACKAGE, ROOT, SANDBOX, collect_messages, one_line

SOURCES = "".join(file.read_text() for folder in (PACKAGE, SANDBOX) for file in folder.rglob("*.py"))
RUN_BOOK = one_line((ROOT / "docs" / "operate.md").read_text())


def test_run_book_has_every_message() -> None:
    missing = [message for message in collect_messages() if message.text not in RUN_BOOK]
    listed = "\n".join(f"- `{message.text}`\n  what it means, and what to do ({message.where})" for message in missing)
    assert missing == [], f"Add to docs/operate.md, below the heading of the place where it shows:\n{listed}"


def test_run_book_has_no_message_that_nothing_says() -> None:
    texts = [message.text for message in collect_messages()]
    messages = RUN_BOOK.partition("## In a job log: SQL Server")[2].partition("## Ordinary lines")
    shown = re.findall(r"(?<= - )`([^`]+)`", messages[0] + messages[2])
    assert len(shown) > 120
    assert [
        span for span in shown if not any(text in span for text in texts) and first_words(span) not in SOURCES
    ] == []


def first_words(message: str) -> str:
    return message.removeprefix("… ").partition("…")[0].strip()


def test_message_is_collected_wherever_it_is_said() -> None:
    texts = {message.text for message in collect_messages()}
    assert "The disk of the orders database is full" in texts  # in a table
    assert "SQL Server … has no database … for this login (…)" in texts  # returned
    assert "Ended … session(s) left by an earlier attempt" in texts  # logged
    assert "All connections to the orders database are in use" in texts  # raised
    assert "Cannot open the orders database … (connection orders_db): …" in texts  # printed
    assert "pip could not install …, see above. Is the package index reachable?" in texts  # a script's
