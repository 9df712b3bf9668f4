"""Every route of the pages and their API, asked with HTTP Basic: nobody, a wrong password, the right one."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

# All that asks who is there; a test holds it against the routes that the plugin registers.
PATHS = (
    "/job_logs/",
    "/job_logs/run",
    "/job_logs/verdict",
    "/job_logs/{name}",
    "/job_logs/{name}/download.txt",
    "/job_logs/api/docs",
    "/job_logs/api/openapi.json",
    "/job_logs/api/health",
    "/job_logs/api/panel",
    "/job_logs/api/activity",
    "/job_logs/api/job_logs",
    "/job_logs/api/job_logs/{name}",
    "/job_logs/api/job_logs/{name}/details",
    "/open_orders/",
    "/open_orders/freshness",
    "/open_orders/changes",
    "/open_orders/rejected",
    "/open_orders/export.csv",
    "/open_orders/export.xlsx",
    "/open_orders/api/docs",
    "/open_orders/api/openapi.json",
    "/open_orders/api/freshness",
    "/open_orders/api/open_orders",
    "/open_orders/api/changes",
    "/open_orders/api/rejected",
)
# Wrong passwords are braked; so few that nobody is locked out.
WITH_A_WRONG_PASSWORD = ("/job_logs/", "/open_orders/", "/open_orders/api/open_orders")
# health answers 503 while the sync does not work.
RIGHT = {"nobody": (401,), "wrong password": (401,), "admin": (200, 503)}


@dataclass(frozen=True)
class Address:
    """Where the api-server is, the name of a job log there is, and the admin's password."""

    url: str
    job_log: str
    password: str


@dataclass(frozen=True)
class Answer:
    """What somebody got."""

    path: str
    who: str
    status: int
    challenge: str

    @property
    def is_right(self) -> bool:
        """Whether it is the status that is wanted; a 401 also has to ask for HTTP Basic."""
        if self.status == 503 and not self.path.endswith("/health"):
            return False
        return self.status in RIGHT[self.who] and (self.status != 401 or self.challenge.startswith("Basic "))


def ask_all(address: Address) -> Iterator[Answer]:
    """Yield the answers."""
    # No proxy: the address is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for path in PATHS:
        yield _ask(opener, address, path, "nobody", None)
        if path in WITH_A_WRONG_PASSWORD:
            yield _ask(opener, address, path, "wrong password", "nobody:wrong")
        yield _ask(opener, address, path, "admin", f"admin:{address.password}")


def _ask(
    opener: urllib.request.OpenerDirector, address: Address, path: str, who: str, credentials: str | None
) -> Answer:
    request = urllib.request.Request(  # noqa: S310 - the scheme is ours
        address.url + path.format(name=address.job_log), headers={"Accept": "*/*"}
    )
    if credentials is not None:
        request.add_header("Authorization", f"Basic {base64.b64encode(credentials.encode()).decode()}")
    try:
        with opener.open(request, timeout=60) as answer:
            answer.read()
            return Answer(path, who, answer.status, "")
    except urllib.error.HTTPError as error:
        return Answer(path, who, error.code, error.headers.get("WWW-Authenticate", ""))
