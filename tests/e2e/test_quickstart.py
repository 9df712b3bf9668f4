"""The quickstart as a newcomer runs it: real Airflow processes, PostgreSQL, and the driver talking TDS."""

from __future__ import annotations

import getpass
import json
import re
import signal
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.running_sandbox import RUN_TIMEOUT_S, RunningSandbox
from tests.first_run import ROOT, FirstRun, run_once


def test_first_run_from_nothing_succeeds_and_one_that_the_source_refuses_says_why(first_run: FirstRun) -> None:
    """The scheduled run that is due comes first; the run that the quickstart triggers meets the fault."""
    assert first_run.code == 1
    assert re.search(r"Job log \d{8}_\d{6}: success - 2,\d{3} open orders: 2,\d{3} new, 0 changed", first_run.output)
    for message in (
        r"Attempt 3 of 3 failed: SQL Server 127.0.0.1:\d+/ERP refused the login 'sa'; check the conn",
        r"Job log \d{8}_\d{6}: ERROR - connect: SQL Server 127.0.0.1:\d+/ERP refused the login",
    ):
        assert re.search(message, first_run.output), message


@pytest.mark.full
def test_once_ends_with_success(first_run: FirstRun, tmp_path: Path) -> None:
    first_run.copy_to(tmp_path / "state")
    code, output = run_once(tmp_path / "state")
    assert code == 0
    assert re.search(r"Job log \d{8}_\d{6}: success - ", output)


@pytest.fixture(scope="module")
def running(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Yield a second start that stays."""
    state_dir = tmp_path_factory.mktemp("a second start") / "state"
    first_run.copy_to(state_dir)
    sandbox = RunningSandbox(state_dir)
    yield sandbox
    sandbox.stop()


def test_second_start_shows_the_job_log_of_a_run_that_succeeds(running: RunningSandbox) -> None:
    output = running.output.read_text()
    for message in ("Job started - sync_open_orders (", "Batch 1/1: imported ", "Published ", "Job finished in "):
        assert message in output
    assert re.search(r"Job log \d{8}_\d{6}: success - ", output)


def test_second_start_shows_new_changed_and_closed_orders(running: RunningSandbox) -> None:
    output = running.output.read_text()
    summary = re.findall(r"Published [\d,]+ orders: ([\d,]+) new, ([\d,]+) changed, ([\d,]+) closed", output)[-1]
    assert all(int(number.replace(",", "")) > 0 for number in summary)


def test_trigger_from_the_command_line_takes_its_parameters(running: RunningSandbox) -> None:
    running.trigger("by_command_line", {"batch_size": 1000})
    log = running.await_end("by_command_line")
    assert (log["status"], log["trigger"]) == (2, "manual")
    batches = [message for message in running.messages_of("by_command_line") if message.startswith("Batch ")]
    sizes = [
        sum(int(n.replace(",", "")) for n in re.findall(r"(?:imported|rejected) ([\d,]+)", text)) for text in batches
    ]
    assert len(sizes) >= 3
    assert set(sizes[:-1]) == {1000}
    assert 0 < sizes[-1] <= 1000
    assert log["imported"] == running.query("SELECT count(*) FROM open_orders")[0]["count"]


def test_check_finds_nothing_wrong_and_shows_the_first_orders(running: RunningSandbox) -> None:
    done = subprocess.run(
        [ROOT / "bin" / "check"], capture_output=True, text=True, env=running.environment, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "✓ Connection orders_db: PostgreSQL ",
        "✓ The role of orders_db_web has the rights that it needs",
        "✓ Connection erp_mssql: ",
        "✓ The query open_orders.sql has the 17 columns of open_orders",
        " rows of open_orders would be ",
        "source_updated_at  timestamp",
        "its database (postgresql at 127.0.0.1:",
        "✓ The DAG sync_open_orders is there and not paused: */5 * * * *",
        "✓ Job Logs and Open Orders can be read by: Viewer, User, Op, Admin, Open Orders Viewer",
        "Nothing is wrong",
    ):
        assert said in done.stdout, said
    for name in ("AIRFLOW_CONN_ORDERS_DB", "AIRFLOW_CONN_ORDERS_DB_WEB", "AIRFLOW_CONN_ERP_MSSQL"):
        password = running.airflow_environment[name].split("://")[1].split("@")[0].split(":")[1]
        assert password not in done.stdout + done.stderr


def test_trigger_with_a_bad_parameter_is_refused(running: RunningSandbox) -> None:
    done = running.airflow(
        "dags", "trigger", "sync_open_orders", "--run-id", "bad", "-c", json.dumps({"batch_size": "many"})
    )
    assert done.returncode != 0
    assert "'many' is not of type 'integer'" in done.stdout + done.stderr
    assert running.log_of("bad")["status"] is None


OVERRIDE = {"batch_size": 2000, "max_drop_share": 1}
TOLD = "Parameters of this run: batch_size=2000, max_drop_share=1.0 ({})"


def test_override_is_told_with_who_set_it_whichever_way_it_comes(running: RunningSandbox) -> None:
    user = getpass.getuser()
    # The second waits for the first; a backfill would not.
    running.trigger_by_api("by_api", OVERRIDE)
    running.trigger("by_command", OVERRIDE)
    running.await_end("by_api")
    running.await_end("by_command")
    day = ["--from-date", "2026-01-05T00:00:00+00:00", "--to-date", "2026-01-05T00:00:00+00:00"]
    backfill = ["backfill", "create", "--dag-id", "sync_open_orders", *day, "--dag-run-conf", json.dumps(OVERRIDE)]
    assert running.airflow(*backfill).returncode == 0
    backfilled = "backfill__2026-01-05T00:00:00+00:00"
    running.await_end(backfilled)
    for run_id, origin in [
        ("by_api", "manual, triggered by admin"),
        ("by_command", f"manual, triggered by {user}"),
        (backfilled, f"backfill, triggered by {user}"),
    ]:
        assert running.messages_of(run_id).count(TOLD.format(origin)) == 1, run_id


def test_cleared_run_keeps_its_overrides_and_names_who_set_them(running: RunningSandbox) -> None:
    running.call_api("POST", "dagRuns/by_command/clear", {"dry_run": False, "only_failed": False})
    running.await_true(
        lambda: sum(message.startswith("Job finished in ") for message in running.messages_of("by_command")) == 2,
        RUN_TIMEOUT_S,
        "the end of the cleared run",
    )
    told = TOLD.format(f"manual, triggered by {getpass.getuser()}")
    assert running.messages_of("by_command").count(told) == 2


@pytest.mark.parametrize("bad", [{"batch_size": 0}, {"max_drop_share": 50}, {"allow_empty": "false"}])
def test_override_that_is_out_of_range_starts_no_run(running: RunningSandbox, bad: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        running.trigger_by_api("refused", bad)
    assert running.log_of("refused")["status"] is None


def test_scheduled_runs_have_logs_with_names_of_their_own(running: RunningSandbox) -> None:
    logs = running.query("SELECT name, trigger, triggered_by FROM job_logs WHERE trigger = 'scheduled'")
    assert logs
    assert all(re.fullmatch(r"\d{8}_\d{6}(_\d+)?", log["name"]) and log["triggered_by"] is None for log in logs)
    assert running.query("SELECT count(DISTINCT name) = count(*) AS unique FROM job_logs") == [{"unique": True}]


def test_success_of_which_one_task_is_cleared_is_a_success_again(running: RunningSandbox) -> None:
    options = {"dry_run": False, "only_failed": False, "reset_dag_runs": True}
    running.call_api(
        "POST", "clearTaskInstances", {"dag_run_id": "by_command_line", "task_ids": ["connect"], **options}
    )
    running.await_message("by_command_line", "The run succeeded without repeating its last step")
    log = running.log_of("by_command_line")
    assert (log["status"], log["error_summary"]) == (2, None)
    assert log["total_after"] > 0


def test_another_dag_logs_itself_through_the_shared_hook(running: RunningSandbox) -> None:
    running.call_api("PATCH", "", {"is_paused": False}, "maintain_job_logs")
    running.trigger_by_api("maintenance", dag_id="maintain_job_logs")
    log = running.await_end("maintenance")
    assert (log["status"], log["job_name"]) == (2, "maintain_job_logs")
    assert [message.split(" in ")[0] for message in running.messages_of("maintenance")] == [
        f"Job started - maintain_job_logs (manual, triggered by {log['triggered_by']})",
        "Closed 0 dead job logs",
        "Nothing is older than what is kept: messages of successful runs 30 days, messages of failed runs 180 days, "
        "job logs 365 days, rejected orders 30 days",
        "Job finished",
    ]


def test_task_killed_in_the_middle_of_its_fetch_is_repeated_with_the_same_result(running: RunningSandbox) -> None:
    running.misbehave({"stall_after_rows": 500})
    running.trigger_by_api("killed")
    running.await_message("killed", "Connected: PostgreSQL")
    running.await_true(lambda: running.log_of("killed")["step"] == "fetch", 60, "the step fetch")
    [task] = running.await_true(running.task_processes, 60, "the task's process")
    running.misbehave(None)
    task.kill()
    log = running.await_end("killed")
    assert log["status"] == 2
    assert "Attempt 2 of 3" in running.messages_of("killed")
    assert log["fetched"] == log["imported"] + log["rejected"]


def test_run_marked_as_failed_has_its_log_closed_at_the_latest_by_the_next_run(running: RunningSandbox) -> None:
    before = running.query("SELECT count(*), max(changed_job_log_id) FROM open_orders")
    running.misbehave({"stall_after_rows": 500})
    running.trigger_by_api("marked")
    running.await_true(lambda: running.log_of("marked").get("step") == "fetch", RUN_TIMEOUT_S, "the step fetch")
    running.call_api("PATCH", "dagRuns/marked", {"state": "failed"})
    running.misbehave(None)
    assert running.query("SELECT count(*), max(changed_job_log_id) FROM open_orders") == before
    running.trigger_by_api("next")
    assert running.await_end("next")["status"] == 2
    log = running.log_of("marked")
    assert log["status"] == 3
    assert log["error_summary"]


def test_second_quickstart_on_the_same_state_is_refused(running: RunningSandbox) -> None:
    code, output = run_once(running.state_dir)
    assert code == 3
    assert "already running" in output


def test_no_password_is_in_what_was_printed_or_logged(running: RunningSandbox) -> None:
    secrets = [file.read_text().strip() for file in (running.state_dir / "secrets").iterdir()]
    secrets.append((running.state_dir / "postgres.password").read_text().strip())
    stored = running.query("SELECT message FROM job_log_details UNION ALL SELECT error_summary FROM job_logs")
    texts = [row["message"] or "" for row in stored]
    texts += [file.read_text(errors="replace") for file in (running.state_dir / "logs").rglob("*.log")]
    assert len(secrets) > 3
    assert len(texts) > 20
    assert [secret for secret in secrets for text in texts if secret in text] == []


def test_interrupt_stops_everything_that_was_started(running: RunningSandbox) -> None:
    children = psutil.Process(running.process.pid).children(recursive=True)
    assert len(children) > 6
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=60) == 0
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert not [process for process in psutil.process_iter(["cmdline"]) if str(running.state_dir) in str(process.info)]
