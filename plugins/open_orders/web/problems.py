"""Errors that have a page: each knows its status, its title and what the reader can do."""

from __future__ import annotations


class ProblemError(Exception):
    """A request that gets an error page, or problem JSON (RFC 9457) from the API."""

    status = 500
    title = "Something went wrong"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(ProblemError):
    """What was asked for does not exist."""

    status = 404
    title = "Not found"


class BadRequestError(ProblemError):
    """A parameter can't be understood."""

    status = 400
    title = "Bad request"


class UnauthenticatedError(ProblemError):
    """Nobody is signed in, or with a wrong password."""

    status = 401
    title = "Sign in"


class ForbiddenError(ProblemError):
    """Who is signed in lacks a permission."""

    status = 403
    title = "Permission missing"


class TooManyFailuresError(ProblemError):
    """Too many wrong passwords came for one user or from one address."""

    status = 429
    title = "Too many failed sign-ins"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class UncountedFailuresError(ProblemError):
    """Wrong passwords cannot be counted, so none is looked at."""

    status = 503
    title = "Signing in with a password is not possible now"
