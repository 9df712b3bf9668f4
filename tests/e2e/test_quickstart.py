"""The quickstart as a newcomer runs it: real Airflow processes, PostgreSQL, and the driver talking TDS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from sandbox.ports import find_free_port

ROOT = Path(__file__).parents[2]
READY = "A new run comes every five minutes"
START_TIMEOUT_S = 240
RUN_TIMEOUT_S = 240

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a sandbox with spaces") / "state"


@pytest.fixture(scope="module")
def environment(state_dir: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "OPEN_ORDERS"))}
    return {**inherited, "OPEN_ORDERS_SANDBOX_DIR": str(state_dir)}


@pytest.fixture(scope="module")
def once(environment: dict[str, str]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs `bin/quickstart --once` with options, and gives exit code and output."""

    def run(*options: str) -> tuple[int, str]:
        command = [ROOT / "bin" / "quickstart", "--once", "--port", str(find_free_port()), *options]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=START_TIMEOUT_S, check=False
        )
        print(done.stdout, done.stderr)
        return done.returncode, done.stdout + done.stderr

    return run


def test_first_run_succeeds_and_shows_its_job_log(once: Callable[..., tuple[int, str]]) -> None:
    code, output = once("--rows", "3000")
    assert code == 0
    for message in ("Job started - sync_open_orders (", "Batch 2/2: imported ", "Published ", "Job finished in "):
        assert message in output
    assert re.search(r"Job log \d{8}_\d{6}: success - ", output)


def test_second_run_shows_new_changed_and_closed_orders(once: Callable[..., tuple[int, str]]) -> None:
    code, output = once()
    assert code == 0
    summary = re.findall(r"Published [\d,]+ orders: ([\d,]+) new, ([\d,]+) changed, ([\d,]+) closed", output)[-1]
    assert all(int(number.replace(",", "")) > 0 for number in summary)


def test_run_against_a_source_that_refuses_logins_fails_and_says_why(once: Callable[..., tuple[int, str]]) -> None:
    code, output = once("--fault", "refuse_logins")
    assert code == 1
    assert re.search(
        r"Attempt 3 of 3 failed: SQL Server 127.0.0.1:\d+/ERP refused the login 'sa'; check the conn", output
    )
    assert re.search(r"Job log \d{8}_\d{6}: ERROR - connect: SQL Server 127.0.0.1:\d+/ERP refused the login", output)


class RunningSandbox:
    """A quickstart that was left running."""

    def __init__(self, state_dir: Path, environment: dict[str, str]) -> None:
        self.state_dir = state_dir
        self.environment = environment
        self.port = find_free_port()
        self.output = state_dir.parent / "quickstart.txt"
        command = [ROOT / "bin" / "quickstart", "--port", str(self.port)]
        with self.output.open("w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        self.await_true(lambda: READY in self.output.read_text(), START_TIMEOUT_S, "the quickstart")

    def await_true(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if found := condition():
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail(f"{what} did not come within {timeout_s} s\n{self.output.read_text()}")

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "bin" / "airflow", *arguments], capture_output=True, text=True, env=self.environment, check=False
        )

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        environment = json.loads((self.state_dir / "environment.json").read_text())
        address = environment["AIRFLOW_CONN_ORDERS_DB"].replace("postgres://", "postgresql://")
        with psycopg.connect(address, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()

    def log_of(self, run_id: str) -> dict[str, Any]:
        found = self.query("SELECT * FROM job_logs WHERE run_id = %s", run_id)
        return found[0] if found else {"status": None}

    def messages_of(self, run_id: str) -> list[str]:
        statement = """SELECT message FROM job_log_details JOIN job_logs ON job_logs.id = job_log_id
                       WHERE run_id = %s ORDER BY job_log_details.created_at, job_log_details.id"""
        return [row["message"] for row in self.query(statement, run_id)]

    def trigger(self, run_id: str, configuration: dict[str, Any] | None = None) -> None:
        options = ["-c", json.dumps(configuration)] if configuration is not None else []
        done = self.airflow("dags", "trigger", "sync_open_orders", "--run-id", run_id, *options)
        assert done.returncode == 0, done.stderr

    def await_end(self, run_id: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            log = self.log_of(run_id)
            return log if log["status"] in (2, 3) else None

        return dict(self.await_true(ended, RUN_TIMEOUT_S, f"the end of run {run_id}"))

    def await_message(self, run_id: str, text: str) -> None:
        self.await_true(
            lambda: any(text in message for message in self.messages_of(run_id)), RUN_TIMEOUT_S, f"message {text!r}"
        )

    def misbehave(self, faults: dict[str, Any] | None) -> None:
        file = self.state_dir / "faults.json"
        if faults is None:
            file.unlink()
        else:
            file.write_text(json.dumps(faults))

    def task_processes(self) -> list[psutil.Process]:
        """Return the processes that run task code now, not their supervisors."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            # A process may end while it is looked at.
            with suppress(psutil.NoSuchProcess):
                if re.fullmatch(r"airflow worker -- [0-9a-f-]{36}", " ".join(process.cmdline()).strip()):
                    found.append(process)
        return found

    def call_api(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Ask Airflow's REST API, as admin, to do what a person does in the web UI."""
        base = f"http://127.0.0.1:{self.port}"
        password = (self.state_dir / "secrets" / "admin_password").read_text()
        headers = {"Content-Type": "application/json"}
        for verb, url, content in (
            ("POST", "/auth/token", {"username": "admin", "password": password}),
            (method, f"/api/v2/dags/sync_open_orders/{path}", body),
        ):
            request = urllib.request.Request(base + url, json.dumps(content).encode(), headers, method=verb)
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
            headers["Authorization"] = f"Bearer {answer.get('access_token')}"


@pytest.fixture(scope="module")
def running(state_dir: Path, environment: dict[str, str]) -> Iterator[RunningSandbox]:
    sandbox = RunningSandbox(state_dir, environment)
    yield sandbox
    if sandbox.process.poll() is None:
        sandbox.process.send_signal(signal.SIGINT)
        sandbox.process.wait(timeout=60)


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


def test_trigger_with_a_bad_parameter_is_refused(running: RunningSandbox) -> None:
    done = running.airflow(
        "dags", "trigger", "sync_open_orders", "--run-id", "bad", "-c", json.dumps({"batch_size": "many"})
    )
    assert done.returncode != 0
    assert "'many' is not of type 'integer'" in done.stdout + done.stderr
    assert running.log_of("bad")["status"] is None


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
    assert running.airflow("dags", "unpause", "maintain_job_logs").returncode == 0
    assert running.airflow("dags", "trigger", "maintain_job_logs", "--run-id", "maintenance").returncode == 0
    log = running.await_end("maintenance")
    assert (log["status"], log["job_name"]) == (2, "maintain_job_logs")
    assert [message.split(" in ")[0] for message in running.messages_of("maintenance")] == [
        f"Job started - maintain_job_logs (manual, triggered by {log['triggered_by']})",
        "Closed 0 dead job logs",
        "Job finished",
    ]


def test_task_killed_in_the_middle_of_its_fetch_is_repeated_with_the_same_result(running: RunningSandbox) -> None:
    running.misbehave({"stall_after_rows": 500})
    running.trigger("killed")
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
    running.trigger("marked")
    running.await_true(lambda: running.log_of("marked").get("step") == "fetch", RUN_TIMEOUT_S, "the step fetch")
    running.call_api("PATCH", "dagRuns/marked", {"state": "failed"})
    running.misbehave(None)
    assert running.query("SELECT count(*), max(changed_job_log_id) FROM open_orders") == before
    running.trigger("next")
    assert running.await_end("next")["status"] == 2
    log = running.log_of("marked")
    assert log["status"] == 3
    assert log["error_summary"]


def test_second_quickstart_on_the_same_state_is_refused(running: RunningSandbox, once: Callable[..., Any]) -> None:
    code, output = once()
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
