from __future__ import annotations

from pathlib import Path

from tests.faults.report import Matrix

HERE, ELSEWHERE = {"deployment": "one machine"}, {"deployment": "Celery workers"}
POINT = "publish, at its commit"


def test_tables_replace_what_was_between_the_marks_and_say_what_broke(tmp_path: Path) -> None:
    matrix = Matrix(**HERE)
    matrix.add({**HERE, "cell": ["SIGKILL of the task", POINT], "reads": 70, "worst_wait_s": 0.25}, held=True)
    matrix.add({**HERE, "cell": ["The task is cleared", POINT], "reads": 7, "worst_wait_s": 0.125}, held=False)
    matrix.add({**HERE, "cell": ["The source misbehaves", "is empty"]}, held=True)
    matrix.add({**ELSEWHERE, "cell": ["The source misbehaves", "elsewhere"]}, held=False)
    matrix.add({"something": "else"}, held=False)
    file = tmp_path / "reliability.md"
    elsewhere = "<!-- matrix of Celery workers begins -->\nkept\n<!-- matrix of Celery workers ends -->\n"
    file.write_text(
        f"before\n<!-- matrix of one machine begins -->\nold\n<!-- matrix of one machine ends -->\n{elsewhere}after\n"
    )
    matrix.write_tables(file, "today")
    lines = file.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "2 of 3 cells held. Readers read 77 times and waited 0.25 s at worst (today)" in lines
    assert "| | SIGKILL of the task | The task is cleared |" in lines
    assert f"| {POINT} | held | **broken** |" in lines
    assert "| The source misbehaves | is empty | held |" in lines
    assert "old" not in lines
    assert elsewhere in file.read_text()


def test_summary_names_what_did_not_hold() -> None:
    matrix = Matrix(**HERE)
    matrix.add({**HERE, "cell": ["SIGKILL of the task", "one"]}, held=True)
    matrix.add({**HERE, "cell": ["SIGKILL of the task", "two"]}, held=False)
    assert matrix.summarize()[0] == "  1 of   2 held   SIGKILL of the task: not two"
    # A test that failed while it was put away did not hold either.
    matrix.add({**HERE, "cell": ["SIGKILL of the task", "one"]}, held=False)
    assert matrix.summarize()[0].startswith("  0 of   2 held")
