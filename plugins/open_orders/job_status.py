"""The status of a job log, as stored in `job_logs.status`."""

from __future__ import annotations

from enum import IntEnum


class JobStatus(IntEnum):
    """A job log moves new -> processing -> success or error, and only forward."""

    NEW = 0
    PROCESSING = 1
    SUCCESS = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """The status as a reader sees it."""
        return self.name.lower()


OPEN_STATUSES = (JobStatus.NEW, JobStatus.PROCESSING)
