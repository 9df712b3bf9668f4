from __future__ import annotations

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> object:
    """Unit tests reach nothing outside the process."""
    disable_socket()
    yield
    enable_socket()
