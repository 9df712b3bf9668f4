"""The same deployment with Airflow's CeleryExecutor: Redis, and two workers on machines of their own.

A worker's machine is a network namespace with its own copy of the DAGs, the package and the SQL, its own AIRFLOW_HOME
and its own task logs. It shares nothing with the others but what it reaches over the network: Redis, the api-server,
the two PostgreSQLs and the ERP. All its processes can die at once, and its cable can be pulled.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import psycopg

from sandbox import roles
from sandbox.ports import HOST, find_free_port
from sandbox.processes import read_tail
from sandbox.state import REPOSITORY
from tests.faults.network import Cable, Network
from tests.faults.plant import DAG, START_TIMEOUT_S, Plant
from tests.faults.redis_server import RedisServer
from tests.first_run import FirstRun

MACHINES = (11, 12)
# Airflow's and Celery's time limits, shortened like those of the other plant; what we recommend is in docs/scale.md.
SHORTENED = {
    # What a dead worker took from the queue and had not begun. A message is good for as long.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "60",
}
CODE = ("dags", "plugins", "include")


class CeleryPlant(Plant):
    """A plant whose tasks run on the machines of a network."""

    def __init__(self, directory: Path, first_run: FirstRun, network: Network) -> None:
        super().__init__(directory, first_run, network.address, _listen_at(network, directory))
        self.redis = RedisServer(
            directory / "redis", network.address, find_free_port(), self.state.read_secret("redis_password")
        )
        self.workers = [Worker(self, network.connect(machine), directory / f"worker-{machine}") for machine in MACHINES]

    def _settings(self) -> dict[str, str]:
        results = self._uri_of(roles.AIRFLOW, self.metadata_server, "airflow").partition("://")[2]
        # The api-server asks the workers for their logs.
        no_proxy = ",".join([self.environment["NO_PROXY"], *(worker.address for worker in self.workers)])
        return SHORTENED | {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{results}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def _start_airflow(self) -> None:
        self._cleanup.callback(self.redis.kill)
        self.redis.start()
        super()._start_airflow()
        for worker in self.workers:
            self._cleanup.callback(worker.kill)
            worker.start()

    def processes(self) -> list[psutil.Process]:
        """Return everything that runs here or on a worker's machine."""
        return [*super().processes(), *(process for worker in self.workers for process in worker.processes())]

    def worker_at_work(self) -> Worker:
        """Return the worker that runs a task now."""
        (found,) = (worker for worker in self.workers if worker.tasks())
        return found

    def recover(self) -> None:
        """Put right what a failed test left, machines, cables and Redis included."""
        self.redis.start()
        for worker in self.workers:
            worker.cable.plug()
            worker.start()
        super().recover()
        self.await_workers()

    def await_workers(self) -> None:
        """Return when every worker takes tasks."""
        for worker in self.workers:
            self.await_true(worker.is_ready, START_TIMEOUT_S, f"worker {worker.address}")

    def task_of(self, run_id: str, task: str) -> dict[str, Any]:
        """Return what Airflow says of the last attempt of a task."""
        return self.call("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{task}")

    def hosts_of(self, run_id: str) -> dict[str, str]:
        """Return the machine of each task's last attempt."""
        answer = self.call("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task["hostname"] for task in answer["task_instances"]}

    def message_of(self, run_id: str, task: str) -> str:
        """Return the id of the message that told a worker to begin the attempt that there is now."""
        statement = "SELECT external_executor_id FROM task_instance WHERE run_id = %s AND task_id = %s"
        with psycopg.connect(self.metadata_server.dsn("airflow")) as connection:
            (message,) = connection.execute(statement, [run_id, task]).fetchone() or ("",)
        return str(message)

    def count_deliveries(self, message: str) -> int:
        """Return how often the workers say that they received it."""
        received = f"execute_workload[{message}] received"
        return sum(worker.log_file.read_text().count(received) for worker in self.workers)


class Worker:
    """A machine that runs `airflow celery worker`."""

    def __init__(self, plant: CeleryPlant, cable: Cable, directory: Path) -> None:
        self.cable = cable
        self.address = cable.address
        self.log_file = directory / "worker.log"
        self._plant = plant
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0

    def start(self) -> None:
        """Switch the machine on and do not wait; does nothing when it is on."""
        if self._process is not None:
            return
        if not self._directory.exists():
            self._install()
        with self.log_file.open("ab") as log:
            self._log_begins = log.tell()
            self._process = subprocess.Popen(
                self.cable.enter([sys.executable, "-m", "airflow", "celery", "worker"]),
                env=self._environment(),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End everything that runs on the machine with SIGKILL."""
        if self._process is not None:
            mine = self.processes()
            self._process.kill()
            self._process.wait()
            # The kernel ends what is in the machine's process table along with its first process.
            _, alive = psutil.wait_procs(mine, timeout=10)
            assert not alive
            self._process = None

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, read_tail(self.log_file)
        with self.log_file.open() as log:
            log.seek(self._log_begins)
            return f"celery@{self.address} ready" in log.read()

    def processes(self) -> list[psutil.Process]:
        """Return everything that runs on the machine."""
        if self._process is None:
            return []
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def tasks(self) -> list[psutil.Process]:
        """Return those that run task code now."""
        mine = self.processes()
        return [task for task in self._plant.tasks() if task in mine]

    def _install(self) -> None:
        for name in CODE:
            shutil.copytree(REPOSITORY / name, self._directory / name)
        configuration = Path("airflow", "config")
        shutil.copytree(self._plant.state.root / configuration, self._directory / configuration)

    def _environment(self) -> dict[str, str]:
        return self._plant.environment | {
            "AIRFLOW_HOME": str(self._directory / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._directory / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._directory / "plugins"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self._directory / "logs"),
            "PYTHONPATH": str(self._directory / "plugins"),
        }


def _listen_at(network: Network, directory: Path) -> dict[str, str]:
    """Return the settings of a PostgreSQL that lets the machines of the network in."""
    rules = directory / "pg_hba.conf"
    addresses = (f"{HOST}/32", f"{network.address}/24")
    rules.write_text("".join(f"host all all {address} scram-sha-256\n" for address in addresses))
    return {"listen_addresses": f"{HOST},{network.address}", "hba_file": str(rules)}
