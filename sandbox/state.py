"""The quickstart's state directory: where its data, logs, secrets and ports live."""

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.ports import find_free_port

REPOSITORY = Path(__file__).resolve().parents[1]
# What `reset` removes. Named one by one: the directory may be set to one that holds other people's files.
CONTENTS = (
    "airflow",
    "environment.json",
    "logs",
    "postgres",
    "postgres.new",
    "postgres.log",
    "postgres.password",
    "secrets",
    "faults.json",
    "ports.json",
    "processes.json",
)


class StateLockedError(Exception):
    """Another quickstart is alive on the same state directory."""


def find_state_root() -> Path:
    """Return OPEN_ORDERS_SANDBOX_DIR, or .sandbox in the repository."""
    named = os.environ.get("OPEN_ORDERS_SANDBOX_DIR")
    return Path(named).expanduser().absolute() if named else REPOSITORY / ".sandbox"


def make_token() -> str:
    """Return a password of 24 letters, digits, - and _."""
    return secrets.token_urlsafe(18)


def make_signing_key() -> str:
    """Return a key long enough for HMAC-SHA512, which Airflow signs its tokens with."""
    return secrets.token_urlsafe(64)


def make_fernet_key() -> str:
    """Return a Fernet key: 32 random bytes, URL-safe Base64 (https://github.com/fernet/spec)."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


class State:
    """One state directory; created when missing, readable by its owner only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)
        self.postgres_dir = root / "postgres"
        self.airflow_home = root / "airflow"
        self.logs_dir = root / "logs"
        self.faults_file = root / "faults.json"
        self.processes_file = root / "processes.json"
        self.environment_file = root / "environment.json"
        self.migrated_file = self.airflow_home / "migrated"
        self._secrets_dir = root / "secrets"
        self._ports_file = root / "ports.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory; raises StateLockedError while another living process does."""
        # The kernel drops the lock with its holder, so a crash leaves none behind.
        with (self.root / "lock").open("a+") as lock_file:
            try:
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock_file.seek(0)
                raise StateLockedError(
                    f"A quickstart is already running on {self.root} (process {lock_file.read().strip()}). "
                    "Stop it first (Ctrl-C), or set OPEN_ORDERS_SANDBOX_DIR to another directory."
                ) from error
            lock_file.truncate(0)
            lock_file.write(str(os.getpid()))
            lock_file.flush()
            yield

    def create_directories(self) -> None:
        """Make the directories that the processes write to."""
        for directory in (self.airflow_home, self.logs_dir, self._secrets_dir):
            directory.mkdir(mode=0o700, exist_ok=True)

    def reset(self) -> list[str]:
        """Remove all data; return the names that were removed."""
        removed = []
        for name in CONTENTS:
            path = self.root / name
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
            else:
                continue
            removed.append(name)
        return removed

    def read_secret(self, name: str, make: Callable[[], str] = make_token) -> str:
        """Return the secret of that name, made on first use and kept in a file of mode 0600."""
        path = self._secrets_dir / name
        if not path.exists():
            unfinished = path.with_suffix(".new")
            unfinished.touch(mode=0o600)
            unfinished.write_text(make())
            unfinished.rename(path)
        return path.read_text()

    def secret_file(self, name: str) -> Path:
        """Return where `read_secret` keeps the secret of that name."""
        return self._secrets_dir / name

    def choose_port(self, name: str) -> int:
        """Return the port that `name` had last time, or a free one when somebody else has it now."""
        try:
            ports = json.loads(self._ports_file.read_text())
        except FileNotFoundError:
            ports = {}
        ports[name] = find_free_port(ports.get(name, 0))
        self._ports_file.write_text(json.dumps(ports))
        return int(ports[name])
