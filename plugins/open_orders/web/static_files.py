"""The style sheets, scripts and icons that our pages load: our own only, plants are offline."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

STATIC_DIR = Path(__file__).parent / "static"


def versioned(file: str) -> str:
    """Return a file's name with what makes its address change with its content, except for scripts.

    Scripts import one another by plain names, and one that is loaded under two addresses runs twice.
    """
    return file if file.endswith(".js") else f"{file}?v={fingerprint(file)}"


@cache
def fingerprint(file: str) -> str:
    """Return what changes with a static file's content, so that browsers may keep it for long."""
    return hashlib.sha256((STATIC_DIR / file).read_bytes()).hexdigest()[:12]
