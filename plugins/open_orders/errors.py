"""What can go wrong in a job, each with a sentence for the reader of the job log.

A `permanent` error is the same on the next attempt: the task fails at once instead of being retried.
"""

from __future__ import annotations


class JobError(Exception):
    """A failure whose text says what was expected, what was found, and what to do."""

    permanent = False


class SettingsError(JobError, ValueError):
    """A setting or a run's parameter has a value that can't be used."""

    permanent = True


class SchemaVersionError(JobError):
    """The orders database has another schema revision than this code."""

    permanent = True


class ConnectionSettingsError(JobError):
    """An Airflow connection lacks something or carries an extra that can't be used."""

    permanent = True


class SourceQueryError(JobError):
    """The source query's file can't be read, or its statement yields something else than one result."""

    permanent = True


class ContractError(JobError):
    """The source query's columns are not those of the contract."""

    permanent = True


class IncompleteFetchError(JobError):
    """The source did not confirm that all rows arrived."""


class SourceError(JobError):
    """SQL Server, or the way to it, failed."""


class LandingLostError(JobError):
    """The landing or staging table no longer holds what this run fetched."""

    permanent = True


class ReconciliationError(JobError):
    """Rows fetched, landed, imported and rejected do not add up."""

    permanent = True


class SuspiciousSourceError(JobError):
    """The source delivered so little that publishing it would be a mistake unless somebody says otherwise."""

    permanent = True


class JobLogClosedError(JobError):
    """The job log of this run was closed meanwhile: another process decided how the run ended."""

    permanent = True


class JobAlreadyRunningError(JobError):
    """Another execution of the same job is alive."""


class HistoryError(JobError):
    """Airflow's own history could not be cleaned."""


class AlertError(JobError):
    """An alert reached nobody."""
