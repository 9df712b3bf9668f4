"""Every route that the plugin gives to Airflow, found by walking: whatever somebody adds is among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Host, Mount

from open_orders.web.auth import require
from open_orders.web.lazy_app import LazyApp
from open_orders_plugin import OpenOrdersPlugin

AREAS = {"/job_logs": "Job Logs", "/open_orders": "Open Orders"}


@dataclass(frozen=True)
class FoundRoute:
    """Something that answers requests, below the prefix of its app."""

    prefix: str
    path: str
    route: Any

    @property
    def asks(self) -> bool:
        """Whether only who may read the area of its app gets an answer; of what is no route of FastAPI nobody knows."""
        area = AREAS.get(self.prefix)
        return isinstance(self.route, APIRoute) and area is not None and require(area) in _dependencies(self.route)


def walk_plugin(apps: Iterable[Mapping[str, Any]] = OpenOrdersPlugin.fastapi_apps) -> list[FoundRoute]:
    """Return all that answers in the apps of the plugin."""
    return [found for app in apps for found in walk(app["app"], app["url_prefix"])]


def walk(app: Any, prefix: str) -> Iterator[FoundRoute]:
    """Yield all that answers in an app; of an app that is mounted without routes, the mount."""
    for path, route in _walk(app.build() if isinstance(app, LazyApp) else app, prefix):
        yield FoundRoute(prefix, path, route)


def _walk(app: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    routes = getattr(app, "routes", None)
    if not routes:
        yield prefix, app
        return
    for route in routes:
        path = prefix + getattr(route, "path", "")
        if isinstance(route, Mount | Host) and route.routes:
            yield from _walk(route, path)
        else:
            yield path, route


def _dependencies(route: APIRoute) -> set[Any]:
    return {dependency.call for dependency in route.dependant.dependencies}
