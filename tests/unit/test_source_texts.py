from __future__ import annotations

from open_orders.landing import InexactText
from open_orders.source_texts import mark_losses


def test_texts_with_a_question_mark_are_those_that_lost_characters() -> None:
    row = mark_losses(("a", "b?", 3, None, "?"))
    assert row == ("a", "b?", 3, None, "?")
    assert [type(value) for value in row] == [str, InexactText, int, type(None), InexactText]


def test_without_a_question_mark_any_text_may_have_lost_its_end() -> None:
    assert [type(value) for value in mark_losses(("a", 3, "b"))] == [InexactText, int, InexactText]
