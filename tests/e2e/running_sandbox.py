"""A quickstart that was left running, as a newcomer's is: real processes, reached as a person reaches them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from sandbox.ports import find_free_port
from tests.first_run import ROOT, START_TIMEOUT_S, STOP_TIMEOUT_S, build_environment

READY = "A new run comes every five minutes"
RUN_TIMEOUT_S = 240


class RunningSandbox:
    """A quickstart that was left running."""

    def __init__(self, state_dir: Path, *options: str, root: Path = ROOT) -> None:
        self.state_dir = state_dir
        self.root = root
        self.environment = build_environment(state_dir)
        self.port = find_free_port()
        self.output = state_dir.parent / "quickstart.txt"
        command = [root / "bin" / "quickstart", "--port", str(self.port), *options]
        with self.output.open("w") as file:
            # Python looks for modules in the current folder first, and there may be another checkout.
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=self.environment, cwd=root)
        try:
            self.await_true(lambda: READY in self.output.read_text(), START_TIMEOUT_S, "the quickstart")
        except BaseException:
            # Nobody gets this object to stop it later.
            self.stop()
            raise

    @property
    def admin_password(self) -> str:
        return (self.state_dir / "secrets" / "admin_password").read_text().strip()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=STOP_TIMEOUT_S)

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
            [self.root / "bin" / "airflow", *arguments],
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment,
            check=False,
        )

    @property
    def airflow_environment(self) -> dict[str, str]:
        """What makes a process one of this sandbox's Airflow."""
        return {**self.environment, **json.loads((self.state_dir / "environment.json").read_text())}

    @property
    def orders_dsn(self) -> str:
        return self.airflow_environment["AIRFLOW_CONN_ORDERS_DB"].replace("postgres://", "postgresql://")

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.orders_dsn, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()

    def log_of(self, run_id: str) -> dict[str, Any]:
        found = self.query("SELECT * FROM job_logs WHERE run_id = %s", run_id)
        return found[0] if found else {"status": None}

    def messages_of(self, run_id: str) -> list[str]:
        statement = """SELECT message FROM job_log_details JOIN job_logs ON job_logs.id = job_log_id
                       WHERE run_id = %s ORDER BY job_log_details.created_at, job_log_details.id"""
        return [row["message"] for row in self.query(statement, run_id)]

    def trigger(
        self, run_id: str, configuration: dict[str, Any] | None = None, dag_id: str = "sync_open_orders"
    ) -> None:
        options = ["-c", json.dumps(configuration)] if configuration is not None else []
        done = self.airflow("dags", "trigger", dag_id, "--run-id", run_id, *options)
        assert done.returncode == 0, done.stderr

    def trigger_by_api(
        self, run_id: str, configuration: dict[str, Any] | None = None, dag_id: str = "sync_open_orders"
    ) -> None:
        """Start a run as the trigger form and "Run now" do."""
        body = {"dag_run_id": run_id, "conf": configuration or {}, "logical_date": None}
        self.call_api("POST", "dagRuns", body, dag_id)

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

    def call_api(self, method: str, path: str, body: dict[str, Any], dag_id: str = "sync_open_orders") -> None:
        """Ask Airflow's REST API, as admin, to do with a DAG what a person does in the web UI."""
        base = f"http://127.0.0.1:{self.port}"
        headers = {"Content-Type": "application/json"}
        for verb, url, content in (
            ("POST", "/auth/token", {"username": "admin", "password": self.admin_password}),
            (method, f"/api/v2/dags/{dag_id}/{path}".rstrip("/"), body),
        ):
            request = urllib.request.Request(base + url, json.dumps(content).encode(), headers, method=verb)
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
            headers["Authorization"] = f"Bearer {answer.get('access_token')}"
