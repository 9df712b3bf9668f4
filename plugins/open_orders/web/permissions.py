"""Create the permissions of Job Logs and Open Orders in Flask-AppBuilder and give them to roles.

Part of setting up; safe to repeat, it only adds what is missing: python -m open_orders.web.permissions
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

READ = "can_read"
MENU = "menu_access"
PAGES = [(action, area) for area in ("Job Logs", "Open Orders") for action in (READ, MENU)]
# Airflow's UI asks which plugins there are before it shows any of their pages; its roles Viewer and User lack that.
NAVIGATION = [(READ, "Plugins")]
# Airflow's UI itself.
FRAME = [(READ, "Website")]
READERS = ("Viewer", "User", "Op", "Admin")
# Sees our pages and nothing else.
OWN_ROLE = "Open Orders Viewer"


def grants() -> list[dict[str, Any]]:
    """Return the permissions of each role, as the security manager takes them."""
    return [
        *({"role": role, "perms": [*PAGES, *NAVIGATION]} for role in READERS),
        {"role": OWN_ROLE, "perms": [*PAGES, *NAVIGATION, *FRAME]},
    ]


def give_permissions() -> None:
    """Create what is missing of resources, permissions and the role, and give the permissions to the roles."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as application_builder:
        security: Any = application_builder.sm
        security.bulk_sync_roles(grants())
        missing = find_missing(security)
    if missing:
        # The security manager logs its errors and goes on.
        raise RuntimeError(f"Not given, see the log above: {', '.join(missing)}")


def find_missing(security: Any) -> list[str]:
    """Return which permissions are not given, in words; security is Flask-AppBuilder's security manager."""
    security.session.expire_all()
    missing: list[str] = []
    for grant in grants():
        role = security.find_role(grant["role"])
        permissions = role.permissions if role else ()
        given = {(permission.action.name, permission.resource.name) for permission in permissions}
        missing += [
            f"{grant['role']}: {_words(permission)}" for permission in grant["perms"] if permission not in given
        ]
    return missing


def _words(permission: Iterable[str]) -> str:
    return " on ".join(permission)


def main() -> None:
    """Give the permissions and say to whom."""
    give_permissions()
    print(f"Job Logs and Open Orders can be read by: {', '.join([*READERS, OWN_ROLE])}")


if __name__ == "__main__":
    main()
