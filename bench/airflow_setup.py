"""Sets up Airflow's database for a bench, in one process: each of Airflow's commands alone spends seconds on imports.

Reads the password of the user `admin`, role Admin, from its standard input. Safe to repeat.
"""

from __future__ import annotations

import sys
from unittest.mock import patch

USER = "admin"


def main() -> None:
    """Migrate the database, read the DAGs, create the user and give our permissions."""
    from airflow.__main__ import main as airflow

    from open_orders.web.permissions import give_permissions

    password = sys.stdin.readline().strip()
    user = ["--username", USER, "--firstname", "Bench", "--lastname", "Admin", "--email", "admin@example.com"]
    for command in (
        ["db", "migrate"],
        # The arguments never become those of a process, which everybody could read.
        ["users", "create", "--role", "Admin", "--password", password, *user],
        ["dags", "reserialize"],
    ):
        with patch.object(sys, "argv", ["airflow", *command]):
            airflow()
    give_permissions()


if __name__ == "__main__":
    main()
