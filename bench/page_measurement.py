"""How long a page takes, beside a peer that is asked in turn with it, and what it asks of the databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median, quantiles

import httpx

from bench.api_server import METADATA, ApiServer
from bench.statement_log import Statement, StatementLog, Trace
from bench.web_page_list import PEER, Page

WARM_UP = 3
# Requests that are looked at for their statements; their mean is reported.
TRACED = 4
# A page that takes seconds is known to be slow after fewer requests than asked for.
PAGE_LIMIT_S = 60.0
# Of a page that is asked of a new snapshot each time, which takes long to be complete.
ANEW_REQUESTS = 10
PENDING = b'data-pending="1"'
COMPLETE_LIMIT_S = 30.0
# An open page asks as often.
COMPLETE_EVERY_S = 0.25


class PageError(Exception):
    """A page answered with an error."""


@dataclass(frozen=True)
class Timing:
    """The whole request as a browser on the same machine sees it, connection kept; times in milliseconds.

    cpu_ms is the api-server's processor time; peer_ms the median of the peer's requests made in turn with these; size
    that of the answer in bytes. complete_ms, of pages that are asked anew, are the times until an answer had everything
    in it, asked again and again.
    """

    page: Page
    times_ms: list[float]
    complete_ms: list[float]
    peer_ms: float
    cpu_ms: float
    size: int

    @property
    def median_ms(self) -> float:
        """The median."""
        return median(self.times_ms)

    @property
    def p95_ms(self) -> float:
        """The 95th percentile."""
        return quantiles(self.times_ms, n=20, method="inclusive")[-1] if len(self.times_ms) > 1 else self.median_ms

    @property
    def ratio(self) -> float:
        """The median as a multiple of the peer's."""
        return self.median_ms / self.peer_ms


@dataclass(frozen=True)
class Demand:
    """What a page asks of the databases, in the mean of some requests.

    queries and database_ms are of the orders database, airflow_queries of Airflow's own (session, permissions, DAG);
    statements are the former ones of one request.
    """

    queries: float
    airflow_queries: float
    database_ms: float
    statements: list[Statement]


def time_page(server: ApiServer, page: Page, requests: int, renew: Callable[[], None] = lambda: None) -> Timing:
    """Return a page's times from so many requests, after some to warm up; `renew` publishes a new snapshot."""
    urls = cycle(page.urls)
    for url in islice(urls, min(WARM_UP, requests)):
        time_request(server, url, page.accept)
    times: list[float] = []
    complete: list[float] = []
    peer_times: list[float] = []
    cpu_s = 0.0
    size = 0
    wanted = min(requests, ANEW_REQUESTS) if page.anew else requests
    deadline = time.monotonic() + PAGE_LIMIT_S
    while len(times) < wanted and (time.monotonic() < deadline or not times):
        url = next(urls)
        if page.anew:
            renew()
        used, began = server.cpu_s(), time.perf_counter()
        answer, took_ms = time_request(server, url, page.accept)
        cpu_s += server.cpu_s() - used
        times.append(took_ms)
        if page.anew:
            answer = _complete(server, page, url, answer)
            complete.append((time.perf_counter() - began) * 1000)
        size = len(answer.content)
        peer_times.append(time_request(server, PEER, "application/json")[1])
    return Timing(page, times, complete, median(peer_times), cpu_s * 1000 / len(times), size)


def _complete(server: ApiServer, page: Page, url: str, answer: httpx.Response) -> httpx.Response:
    """Return the first answer that has everything in it, asking again and again."""
    deadline = time.monotonic() + COMPLETE_LIMIT_S
    while PENDING in answer.content:
        if time.monotonic() > deadline:
            raise PageError(f"{url} is not complete after {COMPLETE_LIMIT_S} s")
        time.sleep(COMPLETE_EVERY_S)
        answer, _ = time_request(server, url, page.accept)
    return answer


def trace_page(
    server: ApiServer, log: StatementLog, page: Page, requests: int, renew: Callable[[], None] = lambda: None
) -> Demand:
    """Return what a page asks of the databases, which have to be watched; one asked anew, until it is complete."""
    traced = 1 if page.anew else min(TRACED, requests)
    with log.trace() as traces:
        # Not the addresses that were asked first when it was timed: their answers may be remembered.
        for url in islice(cycle(reversed(page.urls)), traced):
            if page.anew:
                renew()
            answer, _ = time_request(server, url, page.accept)
            _complete(server, page, url, answer)
    airflow = traces.pop(METADATA, Trace())
    orders = next(iter(traces.values()), Trace())
    return Demand(
        queries=len(orders.statements) / traced,
        airflow_queries=len(airflow.statements) / traced,
        database_ms=orders.ms / traced,
        statements=orders.statements,
    )


def time_request(server: ApiServer, url: str, accept: str) -> tuple[httpx.Response, float]:
    """Return the answer, and how many milliseconds it took; raises PageError for a page that failed."""
    began = time.perf_counter()
    answer = server.browser.get(url, headers={"accept": accept})
    took_ms = (time.perf_counter() - began) * 1000
    # 503 is the verdict of health, when it is red.
    if not answer.is_success and not url.endswith("/health"):
        raise PageError(f"{url} answered {answer.status_code}:\n{answer.text[:1000]}")
    return answer, took_ms
