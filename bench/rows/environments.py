"""Throw-away Python environments for the peers, kept between runs of the bench."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.rows.measured_process import ContenderError
from sandbox.progress import announce
from sandbox.state import REPOSITORY

ENVIRONMENTS = REPOSITORY / ".sandbox" / "bench-environments"
# Not among our requirements: what a peer needs must never reach production's.
PACKAGES = {
    "sling": ("sling-linux-amd64",),
    "ingestr": ("ingestr<1",),
    "dlt": ("dlt[sql_database,postgres]", "pymssql", "pyarrow", "connectorx"),
    "pandas": ("pandas", "sqlalchemy", "pymssql", "psycopg2-binary"),
}


@dataclass(frozen=True)
class Environment:
    """An environment with a peer in it; `version` is that of the peer's first package."""

    directory: Path
    version: str

    @property
    def python(self) -> str:
        """The path of its Python."""
        return str(self.directory / "bin" / "python")


def make_environment(peer: str, parent: Path = ENVIRONMENTS) -> Environment:
    """Return the environment of a peer, made if there is none; raises ContenderError."""
    directory, stamp = parent / peer, parent / f"{peer}.version"
    if not stamp.exists():
        parent.mkdir(parents=True, exist_ok=True)
        with announce(f"Packages of {peer}"):
            _run_uv("venv", "--clear", "--python", sys.executable, str(directory))
            _run_uv("pip", "install", "--python", str(directory / "bin" / "python"), *PACKAGES[peer])
            name = PACKAGES[peer][0].partition("[")[0].partition("<")[0]
            stamp.write_text(_read_version(directory, name))
    return Environment(directory, stamp.read_text())


def _read_version(directory: Path, package: str) -> str:
    program = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.check_output([directory / "bin" / "python", "-c", program], text=True).strip()


def _run_uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ContenderError(f"uv {arguments[0]}: {' '.join(done.stderr.split())}")


def read_versions(parent: Path = ENVIRONMENTS) -> dict[str, str]:
    """Return the versions of the peers that have an environment."""
    stamps = {peer: parent / f"{peer}.version" for peer in PACKAGES}
    return {peer: stamp.read_text() for peer, stamp in stamps.items() if stamp.exists()}
