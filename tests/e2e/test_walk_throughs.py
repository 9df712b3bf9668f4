"""What a person does in tests_manual with `tests_manual/prepare`, on a quickstart that was left running."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.e2e.running_sandbox import RunningSandbox
from tests.first_run import ROOT

pytestmark = [pytest.mark.timeout(900), pytest.mark.full]
Prepare = Callable[..., str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    sandbox = RunningSandbox(tmp_path_factory.mktemp("walk") / "state")
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def prepare(running: RunningSandbox) -> Prepare:
    """Return a function that runs `tests_manual/prepare` with arguments, and gives its output."""

    def run(*arguments: str) -> str:
        command: list[str | Path] = [ROOT / "tests_manual" / "prepare", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=running.environment, timeout=600, check=False
        )
        print(done.stdout, done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def walked(running: RunningSandbox) -> int:
    return int(running.query("SELECT count(*) FROM job_logs WHERE job_name = 'walk-through'")[0]["count"])


def told(output: str) -> list[str]:
    """Return the statuses that a run went through, as the command told them, which may tell one again."""
    found = re.findall(r"^  [\d:]{8}  \d{8}_\d{6}\w* is (\w+)$", output, re.MULTILINE)
    return [status for status, _again in groupby(found)]


@pytest.mark.parametrize(("more", "together"), [(30, 30), (20, 50)])
def test_logs_are_added(running: RunningSandbox, prepare: Prepare, more: int, together: int) -> None:
    prepare("logs", str(more))
    assert walked(running) == together


def test_log_is_held_while_it_is_new(prepare: Prepare) -> None:
    assert told(prepare("hold", "new")) == ["new", "processing", "success"]


def test_run_is_held_while_it_is_processing(prepare: Prepare) -> None:
    assert told(prepare("hold", "processing"))[-2:] == ["processing", "success"]


def test_fault_ends_a_run_as_an_error(running: RunningSandbox, prepare: Prepare) -> None:
    prepare("fault", "zero_rows")
    assert told(prepare("batches"))[-1] == "error"
    prepare("undo")
    assert not (running.state_dir / "faults.json").exists()
    assert walked(running) == 0


def test_batches_are_small(running: RunningSandbox, prepare: Prepare) -> None:
    name = re.findall(r"/job_logs/(\w+)$", prepare("batches", "500"), re.MULTILINE)[0]
    [log] = running.query("SELECT run_id, status FROM job_logs WHERE name = %s", name)
    assert log["status"] == 2
    assert any(re.match(r"Batch 2/\d+: imported 500 ", message) for message in running.messages_of(log["run_id"]))


@pytest.mark.parametrize("taken", [1, 2])
def test_run_whose_name_is_taken_finds_the_next(running: RunningSandbox, prepare: Prepare, taken: int) -> None:
    output = prepare("collision", str(taken))
    assert re.search(rf"The run's log has the name \d{{8}}_\d{{6}}_{taken} and is success\.", output)
    assert walked(running) == 0


def test_every_route_asks_for_basic_authentication(prepare: Prepare) -> None:
    output = prepare("routes")
    assert "0 wrong answers" in output
    assert output.count("ok     401  nobody") == output.count("ok     200  admin") == 25


def test_users_are_made_and_removed(running: RunningSandbox, prepare: Prepare) -> None:
    output = prepare("users")
    assert "walker_viewer with the role Open Orders Viewer" in output
    password = re.findall(r"walker_viewer .* password (\S+)", output)[0]
    assert sign_in(running, "walker_viewer", password) == 200
    password = re.findall(r"walker_nobody .* password (\S+)", output)[0]
    assert sign_in(running, "walker_nobody", password) == 403
    assert "User walker_nobody removed" in prepare("undo")


def sign_in(running: RunningSandbox, user: str, password: str) -> int:
    command = [
        "curl",
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "--user",
        f"{user}:{password}",
    ]
    url = f"http://127.0.0.1:{running.port}/job_logs/"
    return int(subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout)
