"""Who is asking, and may they: Airflow does not protect a plugin's routes, so every route of ours asks here.

Three ways in, all of them Airflow's own: the session of the web UI (cookie), a bearer token, and HTTP Basic.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from threading import BoundedSemaphore
from typing import Annotated, Any

from airflow import settings as airflow_settings
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials
from limits.errors import StorageError

from open_orders.web.problems import (
    ForbiddenError,
    TooManyFailuresError,
    UnauthenticatedError,
    UncountedFailuresError,
)
from open_orders.web.sign_in_failures import SignInFailures

JOB_LOGS = "Job Logs"
OPEN_ORDERS = "Open Orders"
SYNC_DAG_ID = "sync_open_orders"

log = logging.getLogger(__name__)
# Passwords that are checked at once: more take the processor no less time, and would all be guessed at before the first
# of them counts as wrong.
checking = BoundedSemaphore(3)


@dataclass(frozen=True)
class Reader:
    """Somebody who may read an area: "Job Logs" or "Open Orders"."""

    user: BaseUser
    area: str

    @property
    def name(self) -> str:
        """The user's name, as Airflow shows it."""
        return self.user.get_name()

    def may_read(self, area: str) -> bool:
        """Return whether this user may read an area, for links to it."""
        return may_read(self.user, area)

    def may_trigger(self, dag_id: str) -> bool:
        """Return whether Airflow lets this user trigger a DAG."""
        return get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=self.user
        )


@cache
def require(area: str) -> Callable[[Request], Awaitable[Reader]]:
    """Return the dependency that lets only readers of an area through.

    Raises UnauthenticatedError when nobody is signed in, ForbiddenError without the permission "can read" on the area,
    TooManyFailuresError after too many wrong passwords.
    """

    async def reader(request: Request) -> Reader:
        user = await identify(request)
        if not await run_in_threadpool(may_read, user, area):
            raise ForbiddenError(
                f'{user.get_name()} lacks the permission "can read" on "{area}". An administrator grants it to a role '
                "in Airflow under Security, Roles."
            )
        return Reader(user, area)

    return reader


JobLogsReader = Annotated[Reader, Depends(require(JOB_LOGS))]
OpenOrdersReader = Annotated[Reader, Depends(require(OPEN_ORDERS))]


async def identify(request: Request) -> BaseUser:
    """Return who is asking; raises UnauthenticatedError or TooManyFailuresError.

    Credentials that come with the request win over the session, as in Airflow's own API.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return await run_in_threadpool(_sign_in, request, credentials.strip())
    bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if scheme else None
    try:
        return await get_user(request, None, bearer)
    except HTTPException as error:
        raise UnauthenticatedError(f"Sign in to Airflow first ({error.detail}).") from error


def may_read(user: BaseUser, area: str) -> bool:
    """Return whether a user has the permission "can read" on an area."""
    return get_auth_manager().is_authorized_custom_view(method="GET", resource_name=area, user=user)


def _sign_in(request: Request, credentials: str) -> BaseUser:
    username, password = _decode(credentials)
    address = request.client.host if request.client else ""
    try:
        with checking:
            if wait_s := failures().seconds_to_wait(username, address):
                raise TooManyFailuresError("Too many wrong passwords. Try again later.", wait_s)
            user = _check_password(dict(request.headers), username, password)
            if user is None:
                failures().add(username, address)
        if user is None:
            log.warning("Sign-in with HTTP Basic failed for %r from %s", username, address)
            raise UnauthenticatedError("User name or password is wrong.")
        failures().forget(username, address)
        return user
    except StorageError as error:
        # Unbraked it would be an invitation. The error itself may name the storage's password.
        log.warning("Wrong passwords cannot be counted: %s", type(error.storage_error).__name__)
        raise UncountedFailuresError(
            "The storage that counts wrong passwords (RATELIMIT_STORAGE_URI) does not answer. A session of the web UI "
            "or a token still works."
        ) from None


@cache
def failures() -> SignInFailures:
    """Return the count of wrong passwords, where Flask-AppBuilder's login counts: with the settings of its limiter."""
    config = _flask_app().config
    options = config.get("RATELIMIT_STORAGE_OPTIONS") or {}
    return SignInFailures(config.get("RATELIMIT_STORAGE_URI") or "memory://", **options)


def _decode(credentials: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnauthenticatedError("The Authorization header is not valid HTTP Basic.") from error
    if not (colon and username and password):
        raise UnauthenticatedError("HTTP Basic needs a user name and a password.")
    return username, password


def _flask_app() -> Any:
    """Return the auth manager's Flask app; raises UnauthenticatedError for one that checks no passwords."""
    manager: Any = get_auth_manager()
    flask_app = getattr(manager, "flask_app", None)
    if not (hasattr(manager, "create_token") and flask_app):
        raise UnauthenticatedError("This Airflow's auth manager does not take HTTP Basic; use a token or the web UI.")
    return flask_app


def _check_password(headers: dict[str, str], username: str, password: str) -> BaseUser | None:
    """Return the user if Airflow's auth manager accepts the password."""
    manager: Any = get_auth_manager()
    with _flask_app().app_context():
        try:
            user: BaseUser | None = manager.create_token(headers, {"username": username, "password": password})
            if user is None:
                return None
            # Read by id, as a session's user is: roles and permissions loaded, no longer tied to this thread.
            return manager.deserialize_user(manager.serialize_user(user))  # type: ignore[no-any-return]
        except ValueError:
            return None
        finally:
            # The auth manager's Flask views rely on Flask's teardown for this.
            if airflow_settings.Session is not None:
                airflow_settings.Session.remove()
