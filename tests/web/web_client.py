from __future__ import annotations

from dataclasses import dataclass, field

from httpx import Response
from starlette.testclient import TestClient

PASSWORD = "right: with a colon"


@dataclass
class FakeUser:
    """A user as the auth manager knows them."""

    name: str = "Ada Admin"
    permissions: set[str] = field(default_factory=lambda: {"Job Logs", "Open Orders"})
    may_trigger: bool = True
    signed_in: bool = True

    def get_name(self) -> str:
        return self.name

    def get_id(self) -> str:
        return self.name


@dataclass
class WebClient:
    """A browser, or with another `accept` a program."""

    http: TestClient
    reader: FakeUser

    def get(self, path: str, accept: str = "text/html", **headers: str) -> Response:
        return self.http.get(path, headers={"accept": accept, **headers})

    def get_with_password(self, path: str, password: str, accept: str = "text/html") -> Response:
        """Ask with HTTP Basic, whatever the session says."""
        return self.http.get(path, headers={"accept": accept}, auth=("ada", password))
