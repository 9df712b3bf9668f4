"""Which column of a source query may be one that the contract knows by another name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

# `cust_code` and `customer_code` are at 0.80, `qty_open` and `quantity_open` at 0.74; `customer_group` and
# `customer_name`, which have nothing to do with each other, at 0.64.
_ALIKE = 0.7


def guess_renames(missing: Iterable[str], extra: Iterable[str]) -> dict[str, str]:
    """Return what missing columns may be called now: by name, one of the extra columns each, most alike first."""
    likenesses = sorted(
        ((_likeness(name, other), name, other) for name in missing for other in extra), key=lambda found: -found[0]
    )
    renames: dict[str, str] = {}
    for likeness, name, other in likenesses:
        if likeness >= _ALIKE and name not in renames and other not in renames.values():
            renames[name] = other
    return renames


def _likeness(name: str, other: str) -> float:
    """Return how alike two names are, from 0 to 1; `DueDate` is `due_date` in another style."""
    return SequenceMatcher(None, _bare(name), _bare(other), autojunk=False).ratio()


def _bare(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
