"""What Airflow's own StatsD and OpenTelemetry clients send of a run, to a receiver on this machine."""

from __future__ import annotations

import atexit
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import otel_logger, stats_utils
from opentelemetry import metrics as otel_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from open_orders import job_watch
from open_orders.execution import Execution, RunState
from open_orders.job_log_hook import JobLogHook
from open_orders.metrics import METRICS
from tests.integration.erp import Erp, Sync, order
from tests.integration.statsd_receiver import StatsdReceiver

MakeExecution = Callable[..., Execution]
ROWS = {"fetched": 3, "imported": 2, "rejected": 1, "new": 2, "changed": 0, "closed": 0, "total": 2}


@contextmanager
def configured(monkeypatch: pytest.MonkeyPatch, **options: str) -> Iterator[None]:
    """Switch Airflow's metrics on, as each of its processes does when it starts, and off again."""
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
    yield
    for name in options:
        monkeypatch.delenv(f"AIRFLOW__METRICS__{name}")
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsdReceiver]:
    with StatsdReceiver() as receiver, configured(monkeypatch, **receiver.options):
        yield receiver


def test_statsd_gets_what_a_run_did(erp: Erp, sync: Sync, statsd: StatsdReceiver) -> None:
    erp.rows = [order("A"), order("B"), order("C", customer_code=None)]
    sync.run()
    sent = dict(statsd.take())
    prefix = "airflow.job_log.sync_open_orders."
    assert {name.removeprefix(prefix) for name in sent} == set(METRICS) - {"error"}
    assert sent[f"{prefix}success"] == "1|c"
    assert {name: sent[f"{prefix}rows.{name}"] for name in ROWS} == {name: f"{rows}|g" for name, rows in ROWS.items()}
    assert re.fullmatch(r"\d+\.\d+\|ms", sent[f"{prefix}duration"])
    assert re.fullmatch(r"\d{10}\|g", sent[f"{prefix}last_success"])
    assert re.fullmatch(r"\d\.\d\|g", sent[f"{prefix}success_age"])


def test_failed_run_counts_as_error_once_and_the_age_of_the_last_success_grows(
    erp: Erp, sync: Sync, statsd: StatsdReceiver, orders: psycopg.Connection[Any], execution: MakeExecution
) -> None:
    erp.rows = [order("A")]
    sync.run()
    dict(statsd.take())
    orders.execute("UPDATE job_logs SET completed_at = completed_at - interval '7 minutes'")
    with pytest.raises(ValueError, match="boom"), JobLogHook().step(execution(attempt=2)):
        raise ValueError("boom")
    assert "airflow.job_log.sync_open_orders.error" not in dict(statsd.take())
    orders.execute("UPDATE job_logs SET status = 3, completed_at = clock_timestamp() WHERE status = 1")
    with pytest.raises(ValueError, match="boom"), JobLogHook().step(execution(attempt=3)):
        raise ValueError("boom")
    sent = dict(statsd.take())
    assert sent["airflow.job_log.sync_open_orders.error"] == "1|c"
    assert 420 <= float(sent["airflow.job_log.sync_open_orders.success_age"].removesuffix("|g")) < 480
    assert "airflow.job_log.sync_open_orders.success" not in sent


def test_logs_that_others_close_are_counted_and_every_jobs_last_success_can_be_reported(
    statsd: StatsdReceiver, orders: psycopg.Connection[Any], execution: MakeExecution
) -> None:
    JobLogHook().open(execution(dag_id="killed", run_id="killed"))
    assert JobLogHook().close_run("killed", "killed", 0, "timed_out", succeeded=False)
    JobLogHook().open(execution(dag_id="dead", run_id="dead"))
    others = {"dead": RunState.OVER}
    with JobLogHook().job(
        execution(dag_id="a job: ü", run_state=lambda _dag_id, run_id: others.get(run_id, RunState.ACTIVE))
    ) as log:
        log.close_dead()
    assert {name: value for name, value in dict(statsd.take()).items() if value.endswith("|c")} == {
        "airflow.job_log.killed.error": "1|c",
        "airflow.job_log.dead.error": "1|c",
        "airflow.job_log.a_job___.success": "1|c",
    }
    with JobLogHook().job(execution(dag_id="another")) as log:
        dict(statsd.take())
        log.report_last_successes()
        assert set(dict(statsd.take())) == {
            "airflow.job_log.a_job___.last_success",
            "airflow.job_log.a_job___.success_age",
        }


def test_watch_over_the_jobs_reports_when_each_last_succeeded(
    statsd: StatsdReceiver, orders: psycopg.Connection[Any], execution: MakeExecution
) -> None:
    with JobLogHook().job(execution()):
        pass
    dict(statsd.take())
    with JobLogHook().unlogged(execution(dag_id="watch_jobs")) as log:
        job_watch.look_after_all(log)
    prefix = "airflow.job_log.sync_open_orders."
    assert set(dict(statsd.take())) == {f"{prefix}last_success", f"{prefix}success_age"}


def test_success_that_is_rolled_back_is_not_reported(
    statsd: StatsdReceiver, orders: psycopg.Connection[Any], execution: MakeExecution
) -> None:
    with (
        pytest.raises(ValueError, match="boom"),
        JobLogHook().step(execution()) as log,
        log.connect("test") as own,
        own.transaction(),
    ):
        log.succeed(connection=own)
        raise ValueError("boom")
    assert not any("success" in name for name in dict(statsd.take()))


def test_opentelemetry_gets_the_same_with_the_job_as_attribute(
    erp: Erp, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"http://127.0.0.1:{server.server_port}/v1/metrics")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    erp.rows = [order("A"), order("B"), order("C", customer_code=None)]
    with configured(monkeypatch, OTEL_ON="True"):
        sync.run()
        otel_logger.otel_logger.flush_otel_metrics()
        provider = otel_metrics.get_meter_provider()
    atexit.unregister(otel_logger.otel_logger.flush_otel_metrics)
    provider.shutdown()  # type: ignore[attr-defined] # the interface has no such method, the SDK's has
    server.shutdown()
    server.server_close()
    prefix = "airflow.job_log.sync_open_orders."
    sent = {
        metric.name.removeprefix(prefix): metric
        for body in received
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name.startswith(prefix)
    }
    assert set(sent) == set(METRICS) - {"error"}
    points = {name: sent[f"rows.{name}"].gauge.data_points[0] for name in ROWS}
    assert {name: point.as_int or point.as_double for name, point in points.items()} == ROWS
    assert [(tag.key, tag.value.string_value) for tag in points["new"].attributes] == [("job_name", "sync_open_orders")]
    assert sent["success"].sum.data_points[0].as_int == 1
    assert sent["duration"].exponential_histogram.data_points[0].count == 1


def test_every_metric_is_documented_with_its_kind_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    documented = re.findall(r"^\| `job_log\.<job>\.([a-z_.]+)` \| (\w+) \|", page, re.MULTILINE)
    assert dict(documented) == METRICS
    assert len(documented) == len(METRICS)
