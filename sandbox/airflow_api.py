"""What the quickstart asks the running Airflow, through its public REST API (version 2)."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
# A new api-server loads parts of itself in a request, and answers no other one meanwhile.
REQUEST_TIMEOUT_S = 30.0
POLL_S = 0.2


class AirflowNotReadyError(Exception):
    """Airflow did not become usable in time; the message says what is missing."""


def is_due(dag: Mapping[str, Any], margin: timedelta) -> bool:
    """Whether the DAG's next scheduled run, as the REST API describes it, comes within `margin`."""
    at = dag.get("next_dagrun_run_after")
    return at is not None and datetime.fromisoformat(at) < datetime.now(UTC) + margin


class AirflowApi:
    """A logged-in client of one Airflow.

    Args:
        url: the web UI's address, for example `http://127.0.0.1:8080`.
        user: a name in Airflow's user list.
        password: of that user.
        check: called while waiting; raises when waiting has become pointless.
    """

    def __init__(self, url: str, user: str, password: str, check: Callable[[], None]) -> None:
        self._url = url
        self._credentials = {"username": user, "password": password}
        self._check = check
        self._token: str | None = None
        # No proxy: the address is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def await_healthy(self, timeout_s: float) -> None:
        """Return when api-server, scheduler, dag-processor, triggerer and database say that they are healthy."""
        deadline = time.monotonic() + timeout_s
        missing: list[str] = []
        while time.monotonic() < deadline:
            self._check()
            try:
                missing = self._list_unhealthy()
            except OSError:  # not listening yet, or busy
                missing = ["api-server"]
            if not missing:
                return
            time.sleep(POLL_S)
        raise AirflowNotReadyError(
            f"Not healthy after {timeout_s:.0f} s: {', '.join(missing)}. The processes' log says why."
        )

    def await_dag(self, dag_id: str, timeout_s: float) -> dict[str, Any]:
        """Return the DAG's description as soon as the dag-processor has read it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self._check()
            found = self._get(f"/api/v2/dags/{quote(dag_id)}")
            if found is not None and not found["is_stale"]:
                return found
            if found is None:
                self._raise_import_errors(dag_id)
            time.sleep(POLL_S)
        raise AirflowNotReadyError(
            f"The DAG {dag_id} did not appear within {timeout_s:.0f} s. "
            "Is its file in the DAGs folder? The dag-processor's log says what it read."
        )

    def read_run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a DAG run (queued, running, success, failed), None when there is no such run."""
        found = self._get(f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")
        return None if found is None else str(found["state"])

    def await_run_end(self, dag_id: str, run_id: str, timeout_s: float) -> None:
        """Return when Airflow, too, has recorded that the run ended, at the latest after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.read_run_state(dag_id, run_id) not in ("success", "failed"):
            self._check()
            time.sleep(POLL_S)

    def await_quiet(self, dag_id: str, margin: timedelta, timeout_s: float) -> None:
        """Return when no run of the DAG is queued or running and none is due within `margin`."""
        deadline = time.monotonic() + timeout_s
        runs = f"/api/v2/dags/{quote(dag_id)}/dagRuns?state=queued&state=running&limit=1"
        while time.monotonic() < deadline:
            self._check()
            dag = self._get(f"/api/v2/dags/{quote(dag_id)}") or {}
            active = (self._get(runs) or {"total_entries": 0})["total_entries"]
            if not active and not is_due(dag, margin):
                return
            time.sleep(POLL_S)
        raise AirflowNotReadyError(
            f"Runs of {dag_id} were active for {timeout_s:.0f} s without a pause; see them in the web UI."
        )

    def _list_unhealthy(self) -> list[str]:
        # The part of the api-server that the tasks talk to is loaded by its first request, for seconds.
        self._request("/execution/health")
        health = self._request("/api/v2/monitor/health")
        return [name for name in COMPONENTS if (health.get(name) or {}).get("status") != "healthy"]

    def _raise_import_errors(self, dag_id: str) -> None:
        errors = self._get("/api/v2/importErrors") or {"import_errors": []}
        for error in errors["import_errors"]:
            if str(error["filename"]).endswith(f"{dag_id}.py"):
                raise AirflowNotReadyError(f"Airflow cannot import {error['filename']}:\n{error['stack_trace']}")

    def _get(self, path: str) -> dict[str, Any] | None:
        """Return the answer, None for 404; raises OSError when the server does not answer."""
        if self._token is None:
            self._token = str(self._request("/auth/token", self._credentials)["access_token"])
        try:
            return self._request(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def _request(self, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the scheme is ours
            self._url + path, headers={"Accept": "application/json"}
        )
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with self._opener.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
