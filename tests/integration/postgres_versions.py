"""The versions of PostgreSQL with which a test runs: of `bin/test`, and of `bin/test --all`."""

from __future__ import annotations

import pytest

OLDER, NEWEST = 16, 18
every_version = pytest.mark.parametrize("postgres", [OLDER, NEWEST], indirect=True)
# With the older one in `bin/test --all` only: what differs between the versions, other tests show with both.
every_version_in_all = pytest.mark.parametrize(
    "postgres", [pytest.param(OLDER, marks=pytest.mark.full), NEWEST], indirect=True
)
