"""Alembic's entry point: migrates over the connection that `open_orders.migrations.__main__` hands in."""

from __future__ import annotations

from alembic import context

from open_orders.migrations.contract_tables import bring_up_to_date
from open_orders.models import Base
from open_orders.roles.provision import withhold_working_tables
from open_orders.schema_version import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
    bring_up_to_date(connection, context.config.attributes["contracts"])
    withhold_working_tables(connection.connection.driver_connection)
connection.commit()
