"""docker-compose.yaml as Docker Compose reads it: YAML's merges and the variables of .env filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from podman_compose import var_interpolate

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yaml"
# What .env has to have, with values as a person would choose them; that of each variable says which one it is.
VALUES = {
    "POSTGRES_PASSWORD": "administrator-1",
    "METADATA_PASSWORD": "metadata-2",
    "ORDERS_PIPELINE_PASSWORD": "pipeline-3",
    "ORDERS_WEB_PASSWORD": "web-4",
    "ADMIN_PASSWORD": "admin-5",
    "AIRFLOW_JWT_SECRET": "jwt-6" * 13,
    "AIRFLOW_SECRET_KEY": "session-7" * 8,
    "AIRFLOW_FERNET_KEY": "ZmVybmV0LTgtZmVybmV0LTgtZmVybmV0LTgtZmVybmU=",
    "AIRFLOW_CONN_ERP_MSSQL": "mssql://erp_reader:Reader-9@sqlserver:1433/ERP?trust_server_certificate=true",
}
# What the profiles need besides.
PROFILE_VALUES = {
    "REDIS_PASSWORD": "redis-10",
    "MSSQL_ACCEPT_EULA": "Y",
    "MSSQL_SA_PASSWORD": "Administrator-11",
}


@cache
def read_file() -> dict[str, Any]:
    """Return the file with its merges done and its variables as they are written."""
    return dict(yaml.load(FILE.read_text(), yaml.CSafeLoader))


def render(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the file with its variables filled in; raises ValueError that names one that is missing."""
    return dict(_fill_in(read_file(), variables))


def read_variables() -> set[str]:
    """Return the names of all variables that the file takes from .env."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text()))


def _fill_in(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _fill_in(part, variables) for name, part in value.items()}
    if isinstance(value, list):
        return [_fill_in(part, variables) for part in value]
    # The function makes classes of its own at each call.
    return var_interpolate(value, dict(variables)) if isinstance(value, str) and "$" in value else value
