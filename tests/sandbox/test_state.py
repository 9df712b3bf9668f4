from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from sandbox.state import State, StateLockedError, find_state_root, make_fernet_key


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "state of things")
    state.create_directories()
    return state


def test_second_start_on_the_same_directory_is_refused(state: State) -> None:
    with state.lock(), pytest.raises(StateLockedError, match=f"process {os.getpid()}"), State(state.root).lock():
        pytest.fail("both hold the lock")


def test_lock_is_free_again_after_its_holder(state: State) -> None:
    with state.lock():
        pass
    with State(state.root).lock():
        pass


def test_secret_is_made_once_and_private(state: State) -> None:
    secret = state.read_secret("admin_password")
    assert State(state.root).read_secret("admin_password") == secret
    assert stat.S_IMODE(state.secret_file("admin_password").stat().st_mode) == 0o600
    assert state.read_secret("fernet_key", make_fernet_key) != secret


def test_reset_removes_the_sandbox_s_own_files_only(state: State) -> None:
    state.read_secret("admin_password")
    foreign = state.root / "thesis.txt"
    foreign.write_text("mine")
    assert state.reset() == ["airflow", "logs", "secrets"]
    assert foreign.read_text() == "mine"
    assert State(state.root).reset() == []


def test_port_is_remembered(state: State) -> None:
    port = state.choose_port("postgres")
    assert State(state.root).choose_port("postgres") == port
    assert state.choose_port("sqlserver") != port


def test_remembered_port_that_somebody_took_is_replaced(state: State) -> None:
    port = state.choose_port("postgres")
    with socket.create_server(("127.0.0.1", port)):
        assert state.choose_port("postgres") != port


def test_directory_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPEN_ORDERS_SANDBOX_DIR", str(tmp_path / "elsewhere"))
    assert find_state_root() == tmp_path / "elsewhere"
    monkeypatch.delenv("OPEN_ORDERS_SANDBOX_DIR")
    assert find_state_root().name == ".sandbox"
