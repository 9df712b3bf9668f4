"""The two web apps, `/job_logs` and `/open_orders`, which Airflow's api-server mounts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from open_orders.web.auth import JOB_LOGS, OPEN_ORDERS, require
from open_orders.web.error_pages import add_error_pages
from open_orders.web.few_at_once import FewAtOnce
from open_orders.web.head_requests import HeadRequests
from open_orders.web.rendering import render
from open_orders.web.security_headers import SecurityHeaders
from open_orders.web.static_files import STATIC_DIR

VERSION = "1"
SECURITY_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic"},
    "token": {"type": "http", "scheme": "bearer"},
    "session": {"type": "apiKey", "in": "cookie", "name": "_token"},
}
PROBLEM = {
    "description": "What went wrong (RFC 9457)",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            }
        }
    },
}


def build_job_logs_app() -> FastAPI:
    """Return the app of the job logs: pages, API, static files."""
    return _build(JOB_LOGS, "verdict_api", "job_logs_api", "job_logs_pages")


def build_open_orders_app() -> FastAPI:
    """Return the app of the open orders: pages, API, static files."""
    return _build(OPEN_ORDERS, "open_orders_api", "open_orders_pages")


def _build(area: str, *modules: str) -> FastAPI:
    app = FastAPI(
        title=area,
        version=VERSION,
        # FastAPI's own documentation pages load their scripts from another host.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # It would lead to what the Host header says, before anybody was asked who they are.
        redirect_slashes=False,
        middleware=[Middleware(SecurityHeaders), Middleware(FewAtOnce), Middleware(HeadRequests)],
    )
    app.state.area = area
    add_error_pages(app)
    app.mount("/static", StaticFiles(directory=STATIC_DIR), name="static")
    protected = [Depends(require(area))]
    app.include_router(_documentation(app), dependencies=protected)
    for module in modules:
        router: APIRouter = import_module(f"open_orders.web.{module}").router
        app.include_router(router, dependencies=protected, responses={"default": PROBLEM})
    return app


def _documentation(app: FastAPI) -> APIRouter:
    router = APIRouter(prefix="/api", include_in_schema=False)
    reader = Depends(require(app.state.area))

    def document(request: Request) -> dict[str, Any]:
        api = [route for route in app.routes if getattr(route, "path", "").startswith("/api/")]
        schema = get_openapi(title=app.title, version=VERSION, routes=api)
        schema["servers"] = [{"url": request.scope.get("root_path", "")}]
        schema.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        schema["security"] = [{name: []} for name in SECURITY_SCHEMES]
        return schema

    @router.get("/openapi.json")
    def openapi(request: Request) -> dict[str, Any]:
        return document(request)

    @router.get("/docs")
    def docs(request: Request, reader: Any = reader) -> Any:
        return render(request, reader, "api.html", title=f"{app.title} API", schema=document(request))

    return router
