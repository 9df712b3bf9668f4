from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from open_orders.web.lazy_app import LazyApp

built: list[Any] = []


def build() -> Any:
    built.append(object())
    return built[-1]


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    built.clear()


def test_app_is_built_by_the_first_request_and_kept() -> None:
    app = LazyApp(__name__, "build")
    assert built == []
    assert app.build() is app.build()
    assert len(built) == 1


def test_collector_looks_no_more_through_what_was_there_when_the_app_was_built() -> None:
    before, app = [built], LazyApp(__name__, "build")
    app.build()
    after = [built]
    # What the collector keeps for good it doesn't list.
    looked_through = {id(found) for found in gc.get_objects()}
    assert id(before) not in looked_through
    assert id(after) in looked_through
