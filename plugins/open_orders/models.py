"""SQLAlchemy mappings of the orders database; the tables themselves are made by `open_orders.migrations`.

A test holds the two against each other. Everything derived from the contract takes its columns from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Select,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeEngine

from open_orders import contract
from open_orders.contract import OPEN_ORDERS, ColumnType, Contract

Timestamp = DateTime(timezone=True)
CLOCK = func.clock_timestamp()
# What each sync fills anew: to vacuum and analyze it serves nobody, and a truncation waits for it.
_LEFT_ALONE = {"autovacuum_enabled": False}
# Keys are no words: by the rules of a language their index takes twice as long to fill, and a newer version of the
# operating system's rules breaks it.
_KEY_ORDER = "C"


class Base(DeclarativeBase):
    """The mappings' common registry; constraints are named as in the migrations."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        }
    )


class JobLog(Base):
    """One execution of a job."""

    __tablename__ = "job_logs"
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("dag_id", "run_id"),
        CheckConstraint("status BETWEEN 0 AND 3", name="status"),
        Index("job_logs_created_at_id_idx", "created_at", "id"),
        Index("job_logs_status_created_at_id_idx", "status", "created_at", "id"),
        Index("job_logs_job_name_created_at_id_idx", "job_name", "created_at", "id"),
        Index("job_logs_job_name_status_created_at_id_idx", "job_name", "status", "created_at", "id"),
        Index(
            "job_logs_details_kept_idx",
            "status",
            "completed_at",
            "id",
            postgresql_where=text("details_deleted_at IS NULL OR details_deleted_at < completed_at"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    job_name: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    dag_id: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str] = mapped_column(Text)
    clear_number: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    trigger: Mapped[str] = mapped_column(Text)
    triggered_by: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Timestamp)
    completed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    run_started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    succeeded_at: Mapped[datetime | None] = mapped_column(Timestamp)
    heartbeat_at: Mapped[datetime] = mapped_column(Timestamp)
    fetched: Mapped[int | None] = mapped_column(BigInteger)
    imported: Mapped[int | None] = mapped_column(BigInteger)
    rejected: Mapped[int | None] = mapped_column(BigInteger)
    inserted: Mapped[int | None] = mapped_column(BigInteger)
    updated: Mapped[int | None] = mapped_column(BigInteger)
    deleted: Mapped[int | None] = mapped_column(BigInteger)
    total_after: Mapped[int | None] = mapped_column(BigInteger)
    step: Mapped[str | None] = mapped_column(Text)
    step_try: Mapped[int | None] = mapped_column(Integer)
    error_summary: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)
    updated_at: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)
    # Messages written before were too old to be kept.
    details_deleted_at: Mapped[datetime | None] = mapped_column(Timestamp)

    details: Mapped[list[JobLogDetail]] = relationship(
        order_by="(JobLogDetail.created_at, JobLogDetail.id)", passive_deletes=True, back_populates="job_log"
    )


class JobLogDetail(Base):
    """One timestamped message of a job log."""

    __tablename__ = "job_log_details"
    __table_args__ = (
        CheckConstraint("level IN ('info', 'warning', 'error')", name="level"),
        Index(None, "job_log_id", "id"),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_log_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("job_logs.id", ondelete="CASCADE"))
    level: Mapped[str] = mapped_column(Text)
    task_id: Mapped[str | None] = mapped_column(Text)
    try_number: Mapped[int | None] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)

    job_log: Mapped[JobLog] = relationship(back_populates="details")

    @classmethod
    def chronological(cls) -> Select[JobLogDetail]:
        """Return a select of all details, oldest first; details of one instant in the order they were written."""
        return select(cls).order_by(cls.created_at, cls.id)


class JobAlert(Base):
    """How a job stands: well, or broken since when and why; with the alert about it, until that is delivered.

    `due_since` and `due_at` are set while Airflow is expected to run the job by itself: since when a success is
    awaited, and when the next run is due. Without a title there is nothing to deliver.
    """

    __tablename__ = "job_alerts"
    __table_args__ = (CheckConstraint("state IN ('well', 'failing', 'overdue')", name="state"),)

    job_name: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text, server_default=text("'well'"))
    since: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)
    reason: Mapped[str | None] = mapped_column(Text)
    job_log_id: Mapped[int | None] = mapped_column(BigInteger)
    due_since: Mapped[datetime | None] = mapped_column(Timestamp)
    due_at: Mapped[datetime | None] = mapped_column(Timestamp)
    title: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    claimed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    delivered_at: Mapped[datetime | None] = mapped_column(Timestamp)
    failure: Mapped[str | None] = mapped_column(Text)


class RejectedOrder(Base):
    """A landed row that broke its contract, once, however often it was delivered."""

    __tablename__ = "rejected_orders"
    __table_args__ = (UniqueConstraint("contract", "fingerprint"), Index(None, "last_job_log_id"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    contract: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    row: Mapped[dict[str, Any]] = mapped_column(JSONB)
    occurrences: Mapped[int] = mapped_column(Integer)
    first_job_log_id: Mapped[int] = mapped_column(BigInteger)
    last_job_log_id: Mapped[int] = mapped_column(BigInteger)
    first_seen_at: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)
    last_seen_at: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)


class OpenOrderChange(Base):
    """What one sync did to one order; only those of the last days are kept, of a first fill none.

    `before` of a changed order holds the old values of the columns that changed, and `after` the whole new row.
    """

    __tablename__ = "open_order_changes"
    __table_args__ = (
        CheckConstraint("kind IN ('new', 'changed', 'closed')", name="kind"),
        Index("open_order_changes_job_log_id_kind_id_idx", "job_log_id", "kind", "id"),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    contract: Mapped[str] = mapped_column(Text)
    job_log_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[dict[str, Any]] = mapped_column(JSONB)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=CLOCK)


class SourceColumn(Base):
    """What type a column of a source had: in the rows that landed last, and in those published, since when."""

    __tablename__ = "source_columns"

    contract: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    fetched_type: Mapped[str] = mapped_column(Text)
    published_type: Mapped[str | None] = mapped_column(Text)
    published_since: Mapped[datetime | None] = mapped_column(Timestamp)


def _sql_type(column_type: ColumnType, collation: str | None = None) -> TypeEngine[Any]:
    match column_type:
        case contract.Text():
            return Text(collation=collation)
        case contract.Integer():
            return Integer()
        case contract.Numeric(precision, scale):
            return Numeric(precision, scale)
        case contract.Date():
            return Date()
        case contract.LocalTimestamp():
            return DateTime()


def _contract_columns(of: Contract) -> list[Column[Any]]:
    return [
        Column(column.name, _sql_type(column.type, _KEY_ORDER if column.key else None), nullable=column.nullable)
        for column in of.columns
    ]


def _landing_columns(of: Contract) -> Iterator[Column[Any]]:
    """Yield a text column for each of the contract's, and one of its type for those that are no text."""
    for column in of.columns:
        yield Column(column.name, Text)
        if column.landed_typed is not None:
            unlimited = Numeric() if isinstance(column.type, contract.Numeric) else _sql_type(column.type)
            yield Column(column.landed_typed, unlimited)


def published_table(of: Contract, metadata: MetaData) -> Table:
    """Return what readers see: the contract's columns, and which job log inserted and last changed each row."""
    return Table(
        of.table,
        metadata,
        *_contract_columns(of),
        Column("first_job_log_id", BigInteger, nullable=False),
        Column("changed_job_log_id", BigInteger, nullable=False),
        PrimaryKeyConstraint(*of.key),
    )


def working_tables(of: Contract, metadata: MetaData) -> tuple[Table, Table, Table]:
    """Return the unlogged tables of a contract: landing, staging, batches."""
    landing = Table(
        of.landing,
        metadata,
        Column("row_no", BigInteger, nullable=False),
        *_landing_columns(of),
        Column("unstorable", Text),
        prefixes=["UNLOGGED"],
        postgresql_with=_LEFT_ALONE,
    )
    staging = Table(
        of.staging,
        metadata,
        *_contract_columns(of),
        prefixes=["UNLOGGED"],
        postgresql_with=_LEFT_ALONE,
    )
    batches = Table(
        of.batches,
        metadata,
        Column("job_log_id", BigInteger, nullable=False),
        Column("batch_no", Integer, nullable=False),
        Column("landed", BigInteger, nullable=False),
        Column("first_row", BigInteger, nullable=False),
        Column("in_order", Boolean, nullable=False),
        Column("imported", BigInteger),
        Column("rejected", BigInteger),
        PrimaryKeyConstraint("job_log_id", "batch_no"),
        prefixes=["UNLOGGED"],
    )
    return landing, staging, batches


class OpenOrder(Base):
    """One open order line, as of the last publish."""

    __table__ = published_table(OPEN_ORDERS, Base.metadata)


working_tables(OPEN_ORDERS, Base.metadata)
