from __future__ import annotations

import pytest

from open_orders.landing import InexactText, to_landing


@pytest.mark.parametrize(
    ("value", "text", "reason"),
    [
        ("", "", None),
        (None, None, None),
        ("A\x00B", "A␀B", "v 'A␀B' contains a NUL character (shown as ␀)"),
        (
            "A\ud83dB",
            "A\N{REPLACEMENT CHARACTER}B",
            "v 'A\N{REPLACEMENT CHARACTER}B' contains half of a surr",
        ),
        (
            "A\N{REPLACEMENT CHARACTER}B",
            "A\N{REPLACEMENT CHARACTER}B",
            "v 'A\N{REPLACEMENT CHARACTER}B' contains \N{REPLACEMENT CHARACTER} (U+FFFD), which stands for a character",
        ),
        ("\\N", "\\N", None),
        ("tab\tnewline\nreturn\r\\.", "tab\tnewline\nreturn\r\\.", None),
    ],
)
def test_text_that_postgresql_cannot_store_is_shown_and_named(
    value: str | None, text: str | None, reason: str | None
) -> None:
    [landed], unstorable = to_landing(["v"], [value])
    assert landed == text
    assert (unstorable or "").startswith(reason or "")
    assert (unstorable is None) == (reason is None)


def test_all_offences_of_a_row_are_named() -> None:
    texts, unstorable = to_landing(["a", "b", "c"], ["\x00", "fine", "\x00\ud800"])
    assert texts == ["␀", "fine", "␀\N{REPLACEMENT CHARACTER}"]
    assert unstorable is not None
    assert unstorable.count("NUL") == 2
    assert unstorable.count("surrogate") == 1


def test_text_that_the_driver_could_not_read_exactly_is_named() -> None:
    texts, unstorable = to_landing(["a", "b"], [InexactText("x?\x00"), "?"])
    assert texts == ["x?␀", "?"]
    assert [type(text) for text in texts] == [str, str]
    lost = "has, or ended in, characters that the driver can't convert (shown as ? or left out)"
    assert unstorable == f"a 'x?␀' {lost} and contains a NUL character (shown as ␀)"
