"""A read replica of the orders database: how far it is behind when a sync publishes, and pages that read from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg

from bench.api_server import ApiServer, run_api_server
from bench.job_history import Size, fill
from bench.moving_rows import SETTINGS, prepare
from bench.page_measurement import time_request
from bench.rows.contenders import ORDERS, Place
from bench.rows.lines import WARM_UP, Lines
from bench.rows.ours import DRIVERS, run_syncs
from bench.rows.sync_report import BYSTANDER, Report
from bench.web_page_list import Page, list_pages
from sandbox.ports import HOST
from sandbox.postgres import SUPERUSER, EmbeddedPostgres, find_binary
from sandbox.privileges import give_away, run_as_owner
from sandbox.progress import announce

_LOOK_EVERY_S, _CATCH_UP_S = 0.005, 60
_HISTORY = Size(logs=1000, details_per_log=12, largest_log=1000, open_orders=1000)
PAGES = ("list: first page", "detail: a usual log", "open orders: first page")
PRIMARY, REPLICA = "primary", "replica"


class ReplicaBehindError(Exception):
    """The replica did not show in time what was published."""


@dataclass(frozen=True)
class Lag:
    """One sync: its seconds, how long after the primary the replica showed its publish, how far it was behind."""

    what: str
    sync_s: float
    publish_s: float
    later_s: float
    behind_mb: float


@dataclass(frozen=True)
class Visit:
    """Milliseconds of a page that reads from one of the two, quiet and while syncs change all orders."""

    page: str
    reads: str
    quiet_ms: Sequence[float]
    busy_ms: Sequence[float]


@dataclass(frozen=True)
class Figures:
    """What was found: pages that the replica answers of all; seconds of a sync by where the pages read meanwhile."""

    rows: int
    lags: Sequence[Lag]
    answered: int
    pages: int
    visits: Sequence[Visit]
    sync_s: dict[str, float]
    basebackup_s: float


def measure(rows: int, requests: int) -> Figures:
    """Return how a replica does with so many orders."""
    base, few, changed = Lines(rows), Lines(rows, 0.01), Lines(rows, 1.0)
    with prepare([base, few, changed], SETTINGS) as place, _connect(place.orders) as orders:
        fill(orders, _HISTORY, lambda _done: None)
        # No sync begins while one is under way.
        orders.execute("UPDATE job_logs SET status = 3, completed_at = heartbeat_at WHERE status = 1")
        run_syncs(place, DRIVERS[0], [base])
        began = time.monotonic()
        with _run_replica(place.postgres, place.directory / "replica") as replica:
            basebackup_s = time.monotonic() - began
            with announce("Syncs beside the replica"):
                lags = _measure_lags(place, replica, {"all new": base, "none changed": base, "1 % changed": few,
                                                      "all changed": changed})  # fmt: skip
            visits, sync_s, answered = [], {}, 0
            for reads, server in ((PRIMARY, place.postgres), (REPLICA, replica)):
                with run_api_server(place.postgres, ORDERS, place.directory / "airflow", reading=server) as asked:
                    pages = list_pages(orders)
                    if reads == REPLICA:
                        # Raises PageError for one that can't.
                        answered = sum(bool(time_request(asked, page.urls[0], page.accept)) for page in pages)
                    chosen = [page for page in pages if f"{page.group}: {page.name}" in PAGES]
                    with announce(f"Pages that read from the {reads}"):
                        found, sync_s[reads] = _visit(asked, chosen, reads, requests, place, [changed, base])
                    visits += found
    return Figures(rows, lags, answered, len(pages), visits, sync_s, basebackup_s)


@contextmanager
def _run_replica(primary: EmbeddedPostgres, data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a hot standby that streams from the primary, asynchronously."""
    data_dir.mkdir(mode=0o700)
    give_away(data_dir)
    command = [find_binary(primary.version, "pg_basebackup"), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    command += ["-D", data_dir, "-h", HOST, "-p", primary.port, "-U", SUPERUSER]
    subprocess.run(
        run_as_owner(data_dir, [str(part) for part in command]), check=True, cwd="/",
        env={**os.environ, "PGPASSWORD": primary.read_password()},
    )  # fmt: skip
    shutil.copy(primary.password_file, data_dir.with_name(f"{data_dir.name}.password"))
    with EmbeddedPostgres(data_dir, version=primary.version, settings=SETTINGS) as replica:
        yield replica


def _connect(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True, application_name=BYSTANDER)


def _measure_lags(place: Place, replica: EmbeddedPostgres, syncs: dict[str, Lines]) -> list[Lag]:
    watches = {PRIMARY: _Watch(place.orders), REPLICA: _Watch(replica.dsn(ORDERS))}
    for watch in watches.values():
        watch.start()
    try:
        report = run_syncs(place, DRIVERS[0], list(syncs.values()))
        # The one more is to warm up.
        for watch in watches.values():
            watch.await_seen(len(syncs) + 1)
    finally:
        for watch in watches.values():
            watch.stop()
    seen = zip(watches[PRIMARY].seen[1:], watches[REPLICA].seen[1:], watches[PRIMARY].behind_mb[1:], strict=True)
    return [
        Lag(what, sum(sync.steps.values()), sync.steps["publish"], max(0.0, later - at), behind_mb)
        for what, sync, (at, later, behind_mb) in zip(syncs, report.syncs, seen, strict=True)
    ]


@dataclass
class _Watch:
    """Looks at a server again and again: when each success came to be seen, and megabytes behind until then."""

    dsn: str
    seen: list[float] = field(default_factory=list)
    behind_mb: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def await_seen(self, count: int) -> None:
        """Return when so many successes were seen; raises ReplicaBehindError."""
        deadline = time.monotonic() + _CATCH_UP_S
        while len(self.seen) < count:
            if time.monotonic() > deadline:
                raise ReplicaBehindError(f"{len(self.seen)} of {count} publishes were seen after {_CATCH_UP_S} s")
            time.sleep(_LOOK_EVERY_S)

    def _look(self) -> None:
        newest, most = None, 0.0
        with _connect(self.dsn) as connection:
            while not self._ended.wait(_LOOK_EVERY_S):
                row = connection.execute(
                    """SELECT (SELECT max(id) FROM job_logs WHERE status = 2 AND completed_at > now() - interval '1 h'),
                           (SELECT max(sent_lsn - replay_lsn) FROM pg_stat_replication)::float8 / 1e6"""
                ).fetchone()
                found, behind_mb = row or (None, None)
                most = max(most, behind_mb or 0.0)
                if newest is not None and found != newest:
                    self.seen.append(time.monotonic())
                    self.behind_mb.append(most)
                    most = 0.0
                newest = found


def _visit(
    server: ApiServer, pages: Sequence[Page], reads: str, requests: int, place: Place, syncs: Sequence[Lines]
) -> tuple[list[Visit], float]:
    """Return the times of the pages, quiet and during syncs, and the median seconds of a sync meanwhile."""
    urls = {page.name: cycle(page.urls) for page in pages}

    def ask(page: Page) -> float:
        return time_request(server, next(urls[page.name]), page.accept)[1]

    for page in pages:
        ask(page)
    quiet = {page: [ask(page) for _ in range(requests)] for page in pages}
    busy: dict[Page, list[float]] = {page: [] for page in pages}
    with ThreadPoolExecutor(1) as pool:
        running: Future[Report] = pool.submit(run_syncs, place, DRIVERS[0], [WARM_UP, *syncs, *syncs])
        while not running.done():
            for page in pages:
                busy[page].append(ask(page))
    # The first is small, the second loads the table.
    seconds = [sum(sync.steps.values()) for sync in running.result().syncs[2:]]
    visits = [Visit(f"{page.group}: {page.name}", reads, quiet[page], busy[page]) for page in pages]
    return visits, median(seconds)


def render(figures: Figures) -> str:
    """Return the section of the report."""
    lags = ["| sync | all steps s | publish s | the replica shows it later by s | at most behind MB |",
            "|---|--:|--:|--:|--:|"]  # fmt: skip
    lags += [
        f"| {lag.what} | {lag.sync_s:.2f} | {lag.publish_s:.2f} | {lag.later_s:.3f} | {lag.behind_mb:,.1f} |"
        for lag in figures.lags
    ]
    pages = ["| page | reads from | quiet: median ms | 95 % ms | during syncs: median ms | 95 % ms | slowest ms |",
             "|---|---|--:|--:|--:|--:|--:|"]  # fmt: skip
    pages += [
        f"| {visit.page} | {visit.reads} | {median(visit.quiet_ms):.0f} | {_p95(visit.quiet_ms):.0f} "
        f"| {median(visit.busy_ms):.0f} | {_p95(visit.busy_ms):.0f} | {max(visit.busy_ms):.0f} |"
        for visit in sorted(figures.visits, key=lambda visit: visit.page)
    ]
    syncs = ", ".join(
        f"{seconds:.2f} s with pages that read from the {reads}" for reads, seconds in figures.sync_s.items()
    )
    return "\n\n".join([
        f"## A read replica, {figures.rows:,} orders",
        f"A standby that streams asynchronously, on the same machine; taken in {figures.basebackup_s:.1f} s. How long "
        "after the primary it shows a publish is looked at every 5 ms, on both.",
        "\n".join(lags),
        f"{figures.answered} of {figures.pages} pages and API calls answer from the replica, which has nothing of the "
        "unlogged tables. One is asked after the other, without a pause, while syncs change all orders; such a sync "
        f"takes {syncs}.",
        "\n".join(pages),
    ])  # fmt: skip


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
