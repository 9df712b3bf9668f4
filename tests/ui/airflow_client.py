"""Airflow over HTTP, as its users and their programs ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

# Sees Airflow, its DAGs and its list of plugins, but none of our pages.
OTHER_ROLE = "Other Plugins"
OTHER_PERMISSIONS = (("can_read", "Website"), ("can_read", "Plugins"), ("can_read", "DAGs"), ("menu_access", "DAGs"))


@dataclass
class Airflow:
    """A running api-server and the passwords of its users."""

    url: str
    passwords: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, verify=False, **options)

    def get(
        self, path: str, *, user: str | None = None, token: str | None = None, accept: str = "text/html"
    ) -> httpx.Response:
        """Ask with a password, a token or nothing."""
        headers = {"accept": accept} | ({"authorization": f"Bearer {token}"} if token else {})
        with self.client(auth=(user, self.passwords[user]) if user else None) as client:
            return client.get(path, headers=headers)

    def token(self, user: str) -> str:
        """Return a token as a session of Airflow's web UI has it; made once, for passwords are slow to check."""
        if user not in self.tokens:
            with self.client() as client:
                answer = client.post("/auth/token", json={"username": user, "password": self.passwords[user]})
            self.tokens[user] = answer.json()["access_token"]
        return self.tokens[user]

    def session(self, user: str) -> httpx.Client:
        """Return a client with the session that Airflow's web UI would have."""
        return self.client(cookies={"_token": self.token(user)})

    def create_user(self, user: str, role: str) -> None:
        """Create a user, as admin."""
        self.passwords[user] = f"the pass:word of {user}"
        names = {"username": user, "first_name": user, "last_name": "T", "email": f"{user}@example.com"}
        self._create("users", {**names, "roles": [{"name": role}], "password": self.passwords[user]})

    def create_other_role(self) -> None:
        """Create the role that may see Airflow, but none of our pages."""
        actions = [{"action": {"name": action}, "resource": {"name": name}} for action, name in OTHER_PERMISSIONS]
        self._create("roles", {"name": OTHER_ROLE, "actions": actions})

    def ask_as_admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Ask Airflow's API to do something."""
        with self.client(headers={"authorization": f"Bearer {self.token('admin')}"}) as client:
            return client.request(method, path, json=body)

    def _create(self, kind: str, body: dict[str, Any]) -> None:
        answer = self.ask_as_admin("POST", f"/auth/fab/v1/{kind}", body)
        assert answer.is_success, answer.text
