from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from open_orders.job_status import JobStatus
from open_orders.web import numbers
from open_orders.web.rendering import day_words, environment

HOSTILE = '<script>alert(1)</script> \x1b[31mred \u202eevil "quoted"'


def rendered(expression: str, **values: object) -> str:
    source = '{% from "macros.html" import badge, icon, button, clock, moment, day, ago, text, pager, notice %}'
    return environment().from_string(source + expression).render(values)


@pytest.mark.parametrize("status", [JobStatus.ERROR, 3, "error"])
def test_badge_is_icon_and_word(status: object) -> None:
    page = rendered("{{ badge(status) }}", status=status)
    assert 'href="#i-cross"' in page
    assert "> error</span>" in page


def test_every_status_has_an_icon_of_the_sprite() -> None:
    sprite, _, _ = environment().loader.get_source(environment(), "icons.svg")  # type: ignore[union-attr]
    for status in [*JobStatus, "interrupted"]:
        name = rendered("{{ badge(status) }}", status=status).split('href="#')[1].split('"')[0]
        assert f'id="{name}"' in sprite


def test_stored_text_is_shown_and_never_run() -> None:
    page = rendered("{{ text(value) }}", value=HOSTILE)
    assert "&lt;script&gt;" in page
    assert "␛[31mred" in page
    assert "⟨U+202E⟩evil" in page


def test_times_carry_their_zone_and_both_readings() -> None:
    moment = datetime(2026, 11, 24, 9, 40, tzinfo=UTC)
    page = rendered("{{ clock(t) }} {{ moment(t) }} {{ ago(t) }}", t=moment)
    assert page.count('datetime="2026-11-24T09:40:00+00:00"') == 3
    assert ">09:40:00 +00:00<" in page
    assert ">2026-11-24 09:40:00 +00:00<" in page
    assert rendered("{{ clock(none) }}{{ day(none) }}{{ text(none) }}") == "–––"


def test_link_out_of_the_frame_targets_the_top() -> None:
    assert 'target="_top"' in rendered('{{ button("Jobs Monitor", "/dags/x", "clipboard", "blue", top=True) }}')


def test_disabled_button_is_no_link() -> None:
    page = rendered('{{ button("Run now", "/x", "play", disabled=True) }}')
    assert 'href="/x"' not in page
    assert 'aria-disabled="true"' in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Decimal("1204331.2000"), "1,204,331.20"), (Decimal("0.1234"), "0.1234"), (Decimal("-5"), "-5.00"), (None, "–")],
)
def test_amount_has_separators_and_at_least_two_places(value: Decimal | None, shown: str) -> None:
    assert numbers.amount(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Decimal("12.5000"), "12.5"), (Decimal("4000.0000"), "4,000"), (Decimal("0"), "0"), (None, "–")],
)
def test_quantity_has_no_trailing_zeros(value: Decimal | None, shown: str) -> None:
    assert numbers.quantity(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4.21, "4.2 s"),
        (59.97, "1 min 00 s"),
        (65, "1 min 05 s"),
        (3600, "1 h 00 min"),
        (timedelta(hours=2, minutes=3), "2 h 03 min"),
        (None, "–"),
    ],
)
def test_duration_is_readable(value: float | timedelta | None, shown: str) -> None:
    assert numbers.duration(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1, "just now"),
        (12, "12 s ago"),
        (200, "3 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 d ago"),
        (-200, "in 3 min"),
    ],
)
def test_age_is_readable(seconds: float, shown: str) -> None:
    assert numbers.ago(seconds) == shown


def test_day_says_how_far_away_it_is() -> None:
    today = date(2026, 11, 24)
    assert day_words(today, today) == "today"
    assert day_words(date(2026, 11, 27), today) == "in 3 days"
    assert day_words(date(2026, 11, 23), today) == "1 day ago"
