"""Every error as a page for a person, or as problem JSON (RFC 9457) for a program."""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from open_orders.errors import SchemaVersionError
from open_orders.web.database import DatabaseUnreachableError, MissingRightError, StatementTimeoutError
from open_orders.web.problems import ForbiddenError, ProblemError, TooManyFailuresError, UnauthenticatedError
from open_orders.web.rendering import PREFIXES, airflow_root, area_of, path_of, query_of, render
from open_orders.web.security_headers import HEADERS, PRIVATE

BASIC = 'Basic realm="Airflow", charset="UTF-8"'
# For the scripts of our pages: at a challenge for Basic a browser asks for a password of its own, over the open page,
# as often as the page polls after its session has ended.
BEARER = 'Bearer realm="Airflow"'
log = logging.getLogger(__name__)

UNREACHABLE = "The orders database cannot be reached"
UNREACHABLE_ADVICE = (
    "This says nothing about the sync or the orders: they are as they were. Check that PostgreSQL runs and that the "
    "Airflow connection orders_db_web is right (without one: orders_db); then try again."
)
MISSING_RIGHT = "The pages lack a right in the orders database"
MISSING_RIGHT_ADVICE = (
    "This says nothing about the sync or the orders: they are as they were. The role of the Airflow connection "
    "orders_db_web gets its rights from the database's administrator: bin/roles"
)
TIMEOUT = "The orders database is too slow"
TIMEOUT_ADVICE = "Narrow the filters, for example to a shorter time, and try again."
WRONG_SCHEMA = "The orders database does not fit this release"


def add_error_pages(app: FastAPI) -> None:
    """Register the handlers of all errors that a route of ours can end with."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(UnauthenticatedError, _on_unauthenticated)
    app.add_exception_handler(DatabaseUnreachableError, _on_unreachable)
    app.add_exception_handler(MissingRightError, _on_missing_right)
    app.add_exception_handler(StatementTimeoutError, _on_timeout)
    app.add_exception_handler(SchemaVersionError, _on_wrong_schema)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected)


def problem(
    request: Request,
    status: int,
    title: str,
    detail: str,
    *,
    advice: str = "",
    retry: bool = False,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an error as problem JSON from the API, else as a page."""
    if is_api(request) or not wants_page(request):
        body = {"type": "about:blank", "title": title, "status": status, "detail": f"{detail} {advice}".strip()}
        return JSONResponse(body, status, headers, media_type="application/problem+json")
    may_read = status not in (401, 403, 429)
    page = render(
        request,
        None,
        "problem.html",
        status_code=status,
        status=status,
        title=title,
        detail=detail,
        advice=advice,
        retry=retry,
        home=may_read,
    )
    page.headers.update(headers or {})
    return page


def is_api(request: Request) -> bool:
    """Return whether a request is for the API, which never answers with a page."""
    prefix = PREFIXES[area_of(request)]
    path = path_of(request).removeprefix(airflow_root(request)).removeprefix(prefix)
    return path == "/api" or path.startswith("/api/")


def wants_page(request: Request) -> bool:
    """Return whether a browser asks, and not a program."""
    return "text/html" in request.headers.get("accept", "")


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - Starlette's handlers are not generic
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyFailuresError) else None
    detail = error.detail
    if isinstance(error, ForbiddenError):
        log.info("Refused %r: %s", path_of(request), detail)
    return problem(request, error.status, error.title, detail, headers=headers)


async def _on_unauthenticated(request: Request, error: Exception) -> Response:
    by_script = "x-requested-with" in request.headers
    by_person = wants_page(request) and not is_api(request) and not by_script and "authorization" not in request.headers
    if by_person and request.method == "GET":
        return RedirectResponse(_login_url(request), status_code=302)
    challenge = BEARER if by_script else BASIC
    return problem(request, 401, UnauthenticatedError.title, str(error), headers={"WWW-Authenticate": challenge})


def _login_url(request: Request) -> str:
    """Return Airflow's login, which comes back here: to a path, never to what the Host header says."""
    query = query_of(request)
    # A browser takes "//host/…" for another host.
    target = "/" + quote(path_of(request).lstrip("/\\")) + (f"?{query}" if query else "")
    return f"{airflow_root(request)}/api/v2/auth/login?next={quote(target, safe='')}"


async def _on_unreachable(request: Request, error: Exception) -> Response:
    log.warning("Orders database unreachable: %s", error)
    return problem(
        request, 503, UNREACHABLE, f"{error}.".replace("..", "."), advice=UNREACHABLE_ADVICE, retry=True,
        headers={"Retry-After": "10"},
    )  # fmt: skip


async def _on_missing_right(request: Request, error: Exception) -> Response:
    log.warning("The pages lack a right in the orders database: %s", error)
    return problem(request, 503, MISSING_RIGHT, f"{error}.", advice=MISSING_RIGHT_ADVICE, retry=True)


async def _on_timeout(request: Request, error: Exception) -> Response:
    return problem(request, 503, TIMEOUT, f"{error}.", advice=TIMEOUT_ADVICE, retry=True)


async def _on_wrong_schema(request: Request, error: Exception) -> Response:
    return problem(request, 503, WRONG_SCHEMA, str(error), retry=True)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette's handlers are not generic
    details = "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in error.errors())
    return problem(request, 422, "Bad request", details)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette's handlers are not generic
    status = HTTPStatus(error.status_code)
    detail = "There is nothing at this address." if status == HTTPStatus.NOT_FOUND else str(error.detail)
    return problem(request, status, status.phrase, detail, headers=dict(error.headers or {}))


async def _on_unexpected(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, so that the server's log has it; and it asks this handler
    # outside of the middleware that adds the headers elsewhere.
    return problem(
        request,
        500,
        "Something went wrong",
        "This page failed. The api-server's log has the reason.",
        retry=True,
        headers={**HEADERS, "Cache-Control": PRIVATE},
    )
