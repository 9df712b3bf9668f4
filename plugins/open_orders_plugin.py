"""The Airflow plugin: where Airflow mounts our web apps and shows them in its UI, and what it tells us of. No more."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from open_orders import preload
from open_orders.web.bare_addresses import BareAddresses
from open_orders.web.lazy_app import LazyApp
from open_orders.web.navigation import build_external_views, build_react_apps
from open_orders.web.plugin_filter import PluginFilter


class OpenOrdersPlugin(AirflowPlugin):
    """Job Logs and Open Orders inside the Airflow web UI."""

    name = "open_orders"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - Airflow declares it so
        {"name": "Job Logs", "url_prefix": "/job_logs", "app": LazyApp("open_orders.web.app", "build_job_logs_app")},
        {
            "name": "Open Orders",
            "url_prefix": "/open_orders",
            "app": LazyApp("open_orders.web.app", "build_open_orders_app"),
        },
    ]
    external_views: list[Any] = build_external_views()
    react_apps: list[Any] = build_react_apps()
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012 - Airflow declares it so
        {"name": "Navigation only for who may read", "middleware": PluginFilter},
        {"name": "Our addresses without a slash at the end", "middleware": BareAddresses},
    ]
    listeners: list[Any] = [preload]  # noqa: RUF012 - Airflow declares it so
