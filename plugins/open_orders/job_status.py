"""The status of a job log, as stored in `job_logs.status`."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, cast

StatusWord = Literal["new", "processing", "success", "error"]


class JobStatus(IntEnum):
    """A job log moves new -> processing -> success or error, and only forward."""

    NEW = 0
    PROCESSING = 1
    SUCCESS = 2
    ERROR = 3

    @property
    def word(self) -> StatusWord:
        """The status as a reader sees it."""
        return cast(StatusWord, self.name.lower())


OPEN_STATUSES = (JobStatus.NEW, JobStatus.PROCESSING)
