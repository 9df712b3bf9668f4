from __future__ import annotations

import re
from pathlib import Path

from apprise import Apprise

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()


def test_every_address_that_the_page_shows_is_one_of_apprise() -> None:
    [table] = re.findall(r"^\| for \| ADDRESS \|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    addresses = re.findall(r"`(\w+://[^`]+)`", table)
    assert len(addresses) == 5
    for address in addresses:
        complete = (
            address.replace("https://…logic", "https://prod-1.westeurope.logic")
            .replace("/workflows/…/", "/workflows/643e69f83c8944438d68119179a10a64/")
            .replace("…&sig=…", "api-version=2016-06-01&sig=KODuebWbDGYFr0z0eu7BVbhEWzmPrUTRMZ1jTCYfNJY")
            .replace("T…/B…/…", "T1JJ3T3L2/B1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
        )
        assert Apprise.instantiate(complete) is not None, address
