"""Where Airflow's own UI shows our pages: its sidebar, the page of a run, its home page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from open_orders.web.static_files import fingerprint

LIGHT = "#3f3f46"
DARK = "#d4d4d8"
LIST = "M7 4h11M7 10h11M7 16h11M2 4h1.5M2 10h1.5M2 16h1.5"
DOCUMENT = "M4.5 2h7l4.5 4.5V18H4.5zM11.5 2v4.5H16M7.5 10h6M7.5 14h6"


# Which permission the items below need.
AREA_OF_ROUTE = {
    "job-logs": "Job Logs",
    "job-log": "Job Logs",
    "open-orders-panel": "Job Logs",
    "open-orders": "Open Orders",
}


def build_external_views() -> list[dict[str, Any]]:
    """Return the items of the sidebar, and the tab on every DAG run."""
    return [
        {
            "name": "Job Logs",
            "href": "/job_logs/",
            "url_route": "job-logs",
            "destination": "nav",
            "nav_top_level": True,
            "icon": _icon(LIST, LIGHT),
            "icon_dark_mode": _icon(LIST, DARK),
        },
        {
            "name": "Open Orders",
            "href": "/open_orders/",
            "url_route": "open-orders",
            "destination": "nav",
            "nav_top_level": True,
            "icon": _icon(DOCUMENT, LIGHT),
            "icon_dark_mode": _icon(DOCUMENT, DARK),
        },
        {
            "name": "Job Log",
            "href": "/job_logs/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "url_route": "job-log",
            "destination": "dag_run",
            "icon": _icon(LIST, LIGHT),
            "icon_dark_mode": _icon(LIST, DARK),
        },
    ]


def build_react_apps() -> list[dict[str, Any]]:
    """Return the panel on Airflow's home page."""
    return [
        {
            "name": "Open orders sync",
            "bundle_url": f"/job_logs/static/panel.js?v={fingerprint('panel.js')}",
            "url_route": "open-orders-panel",
            "destination": "dashboard",
        }
    ]


def _icon(path: str, colour: str) -> str:
    # Airflow darkens the item of the page that is open, but not its icon: a halo keeps a dark drawing visible there.
    halo = f'<path stroke="#fff" stroke-width="4" stroke-opacity=".85" d="{path}"/>' if colour == LIGHT else ""
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" fill="none" stroke="{colour}" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round">{halo}<path d="{path}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(drawing)}"
